namespace KafkaEventSourcing.Embedded.Kafka.Protocol;

/// <summary>The key or the value of a record in one of the broker's own topics: its version, then its fields.</summary>
internal interface IKafkaRecord
{
    /// <summary>The version that is written; of a key it is the kind of the record.</summary>
    short WrittenVersion { get; }

    void Write(KafkaWriter writer, short version);
}
