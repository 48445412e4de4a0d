using System.Buffers;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The result of a join in Confluent's wire format, or a tombstone; it is written only.</summary>
internal sealed class JoinResultSerDes(TopicEncoder encoder) : AbstractSerDes<JoinResult>
{
    /// <inheritdoc/>
    public override byte[]? Serialize(JoinResult data, SerializationContext context)
    {
        if (data.Value is null)
            return null;
        var output = new ArrayBufferWriter<byte>();
        encoder.Encode(data.Value, output);
        return output.WrittenSpan.ToArray();
    }

    /// <inheritdoc/>
    public override JoinResult Deserialize(byte[] data, SerializationContext context) => throw new NotSupportedException();
}
