using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>What a store keeps, in Confluent's wire format and one schema. Thread-safe.</summary>
internal sealed class StateSerDes<T>(StreamSchema schema) : AbstractSerDes<T>
    where T : class, IAvroRecord<T>
{
    /// <inheritdoc/>
    public override byte[]? Serialize(T? data, SerializationContext context) => data is null
        ? null
        : EncodedBytes.Of(schema.Id, data, static (T value, ref AvroWriter writer) => value.WriteTo(ref writer));

    /// <inheritdoc/>
    /// <exception cref="StreamStateException">The bytes were written with another schema, or are none of ours.</exception>
    public override T Deserialize(byte[]? data, SerializationContext context)
    {
        if (data is null)
            return null!;
        var reader = new AvroReader(schema.Check(data));
        return T.ReadFrom(ref reader);
    }
}
