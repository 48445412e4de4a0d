namespace KafkaEventSourcing.Embedded.Kafka.Protocol;

/// <summary>An answer that can be written.</summary>
internal interface IKafkaResponse
{
    void Write(KafkaWriter writer, short version);
}
