using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Projections.MongoDB;

namespace KafkaEventSourcing.Hosting;

/// <summary>Where the three servers are, as an operator named them; null where nothing was named.</summary>
public sealed record ServerAddresses
{
    /// <summary>The Kafka brokers, <c>host:port</c> with commas between; null: none was named.</summary>
    public string? Kafka { get; init; }

    /// <summary>Settings passed through to every Kafka client, by librdkafka's names, such as <c>security.protocol</c>.</summary>
    public IReadOnlyDictionary<string, string> KafkaSettings { get; init; } = new Dictionary<string, string>();

    /// <summary>The Schema Registry's URL; null: none was named.</summary>
    public string? Registry { get; init; }

    /// <summary>Settings passed through to the registry client, by Confluent's names, such as <c>schema.registry.basic.auth.user.info</c>.</summary>
    public IReadOnlyDictionary<string, string> RegistrySettings { get; init; } = new Dictionary<string, string>();

    /// <summary>The MongoDB connection string; null: none was named.</summary>
    public string? MongoDB { get; init; }

    /// <summary>Whether all three are named.</summary>
    public bool AreComplete => Kafka is not null && Registry is not null && MongoDB is not null;

    /// <summary>Checks what is named, as far as that needs no server.</summary>
    /// <exception cref="InvalidInputException">An address or a setting is unusable; the message names the option.</exception>
    public void Validate()
    {
        if (Kafka is not null)
            KafkaConnection.Validate();
        if (MongoDB is not null)
            _ = MongoAddress.Parse(MongoDB);
    }

    /// <summary>The connection to Kafka.</summary>
    /// <exception cref="InvalidInputException">No broker was named.</exception>
    public KafkaConnection KafkaConnection => new()
    {
        BootstrapServers = Kafka ?? throw new InvalidInputException("--kafka", "No Kafka broker was named: give --kafka host:port, or set KES_KAFKA."),
        Settings = KafkaSettings,
    };
}
