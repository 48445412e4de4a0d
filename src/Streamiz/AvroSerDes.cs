using System.Collections.Concurrent;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Values of one Avro type in Confluent's wire format, under the subject <c>topic-record</c>, which is registered when the first value is
/// written to a topic. Thread-safe.
/// </summary>
internal sealed class AvroSerDes<T>(AvroMessageSerde serde, IReadOnlyDictionary<string, TopicEncoder> encoders) : AbstractSerDes<T>
    where T : class
{
    private readonly ConcurrentDictionary<string, TopicEncoder> _encoders = new(encoders);

    /// <inheritdoc/>
    public override byte[]? Serialize(T? data, SerializationContext context)
    {
        if (data is null)
            return null;
        if (!_encoders.TryGetValue(context.Topic, out TopicEncoder? encoder))
            encoder = _encoders[context.Topic] = serde.PrepareAsync(context.Topic, [typeof(T)]).GetAwaiter().GetResult(); // once a topic
        return EncodedBytes.Of(encoder, (IAvroRecord)(object)data);
    }

    /// <inheritdoc/>
    public override T Deserialize(byte[]? data, SerializationContext context) => data is null ? null! : (T)(object)serde.Decode(data);
}
