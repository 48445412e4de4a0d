using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Streamiz;

/// <summary>What writes upcast events to the topics of their types. Thread-safe.</summary>
internal sealed class EventTypeTopics(AvroMessageSerde serde, IReadOnlyDictionary<string, TopicEncoder> encoders)
{
    /// <summary>Whether <paramref name="value"/> was written as <paramref name="type"/>, by its name.</summary>
    public bool IsWrittenAs(byte[] value, Type type) => serde.TypeNameOf(value) == serde.TypeOf(type).FullName;

    /// <summary>The bytes of <paramref name="event"/> for <paramref name="topic"/>.</summary>
    public byte[] Encode(string topic, IAvroRecord @event) => EncodedBytes.Of(encoders[topic], @event);
}
