using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Snapshots in Confluent's wire format. Thread-safe.</summary>
internal sealed class SnapshotSerDes(SnapshotFormat format, StreamSchema schema) : AbstractSerDes<Snapshot>
{
    [ThreadStatic]
    private static PooledBuffer? _buffer;

    /// <inheritdoc/>
    public override byte[]? Serialize(Snapshot? data, SerializationContext context)
    {
        if (data is null)
            return null;
        PooledBuffer buffer = _buffer ??= new PooledBuffer();
        buffer.Clear();
        WireFormat.WriteHeader(buffer, schema.Id);
        var writer = new AvroWriter(buffer);
        SnapshotFormat.Write(data, ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <inheritdoc/>
    /// <exception cref="StreamStateException">The bytes were written with another schema, or are none of ours.</exception>
    public override Snapshot Deserialize(byte[]? data, SerializationContext context) =>
        data is null ? null! : format.Read(schema.Check(data));
}
