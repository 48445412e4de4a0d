namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>How an embedded registry runs.</summary>
public sealed record EmbeddedSchemaRegistryOptions
{
    /// <summary>The Kafka brokers that keep the schemas.</summary>
    public required string BootstrapServers { get; init; }

    /// <summary>Settings for its Kafka client, by librdkafka's names.</summary>
    public IReadOnlyDictionary<string, string> KafkaSettings { get; init; } = new Dictionary<string, string>();

    /// <summary>The topic that keeps the schemas. Default <c>_schemas</c>, as Confluent's registry has it.</summary>
    public string Topic { get; init; } = "_schemas";

    /// <summary>
    /// How many replicas the topic gets when it has to be made. Default -1: 3, or as many as there are brokers; where there is one broker,
    /// its own default.
    /// </summary>
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>The address to listen on. Default 127.0.0.1.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>The port; 0, the default, takes a free one.</summary>
    public int Port { get; init; }
}
