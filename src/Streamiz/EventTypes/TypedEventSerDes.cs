using Confluent.Kafka;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>The bytes of a <see cref="TypedEvent"/>; it is written only.</summary>
internal sealed class TypedEventSerDes : AbstractSerDes<TypedEvent>
{
    /// <inheritdoc/>
    public override byte[] Serialize(TypedEvent data, SerializationContext context) => data.Value;

    /// <inheritdoc/>
    public override TypedEvent Deserialize(byte[] data, SerializationContext context) => throw new NotSupportedException();
}
