using System.Security.Cryptography.X509Certificates;

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

    /// <summary>
    /// Who may ask, by name, with the password of each; by HTTP's Basic authentication (RFC 7617), as Confluent's
    /// <c>schema.registry.basic.auth.user.info</c> sends it. Empty, the default: everybody.
    /// </summary>
    public IReadOnlyDictionary<string, string> Users { get; init; } = new Dictionary<string, string>();

    /// <summary>The certificate, with its private key, of a registry that speaks HTTPS alone; null, the default: it speaks HTTP.</summary>
    public X509Certificate2? Certificate { get; init; }
}
