namespace KafkaEventSourcing.Embedded.Kafka.Protocol;

/// <summary>An API key, the versions that are spoken, and the version from which on its encoding is the flexible one.</summary>
internal readonly record struct ApiVersionRange(short Key, short MinVersion, short MaxVersion, short FlexibleFrom);

/// <summary>A request that can be read.</summary>
internal interface IKafkaRequest<out TSelf>
    where TSelf : IKafkaRequest<TSelf>
{
    static abstract ApiVersionRange Api { get; }

    void Write(KafkaWriter writer, short version);

    static abstract TSelf Read(ref KafkaReader reader, short version);
}
