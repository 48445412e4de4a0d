using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The bytes of values, as Streamiz wants them: in an array of their own. Encoded in one buffer a thread. Thread-safe.</summary>
internal static class EncodedBytes
{
    [ThreadStatic]
    private static PooledBuffer? _buffer;

    /// <summary>Writes a value.</summary>
    public delegate void Encode<in T>(T value, ref AvroWriter writer);

    /// <summary><paramref name="value"/> in Confluent's wire format, for the topic of <paramref name="encoder"/>.</summary>
    public static byte[] Of(TopicEncoder encoder, IAvroRecord value)
    {
        PooledBuffer buffer = Cleared();
        encoder.Encode(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// <paramref name="value"/> in Confluent's wire format with the schema <paramref name="schemaId"/>; null: without framing.
    /// </summary>
    public static byte[] Of<T>(int? schemaId, T value, Encode<T> encode)
    {
        PooledBuffer buffer = Cleared();
        if (schemaId is { } id)
            WireFormat.WriteHeader(buffer, id);
        var writer = new AvroWriter(buffer);
        encode(value, ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static PooledBuffer Cleared()
    {
        PooledBuffer buffer = _buffer ??= new PooledBuffer();
        buffer.Clear();
        return buffer;
    }
}
