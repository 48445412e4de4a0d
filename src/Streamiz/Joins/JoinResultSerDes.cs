using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The result of a join in Confluent's wire format, or a tombstone; it is written only.</summary>
internal sealed class JoinResultSerDes(TopicEncoder encoder) : AbstractSerDes<JoinResult>
{
    /// <inheritdoc/>
    public override byte[]? Serialize(JoinResult data, SerializationContext context) =>
        data.Value is null ? null : EncodedBytes.Of(encoder, data.Value);

    /// <inheritdoc/>
    public override JoinResult Deserialize(byte[] data, SerializationContext context) => throw new NotSupportedException();
}
