using System.CommandLine;
using System.Globalization;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>The options that say which servers to use and where data is; each has an environment variable, and the option wins.</summary>
public sealed class ServerOptions
{
    /// <summary>The name of <see cref="ReplicationFactor"/>.</summary>
    public const string ReplicationFactorName = "--replication-factor";

    /// <summary>The Kafka brokers.</summary>
    public Option<string?> Kafka { get; } = Named<string?>("--kafka", "KES_KAFKA", "Kafka brokers, host:port[,host:port]", v => v);

    /// <summary>Settings for the Kafka clients.</summary>
    public Option<string[]> KafkaSettings { get; } = Settings("--kafka-setting", "KES_KAFKA_SETTINGS", "a librdkafka setting, name=value, such as security.protocol=SASL_SSL; may be repeated");

    /// <summary>The Schema Registry.</summary>
    public Option<string?> Registry { get; } = Named<string?>("--registry", "KES_REGISTRY", "Schema Registry URL", v => v);

    /// <summary>Settings for the registry client.</summary>
    public Option<string[]> RegistrySettings { get; } = Settings("--registry-setting", "KES_REGISTRY_SETTINGS", "a setting of Confluent's registry client, name=value; may be repeated");

    /// <summary>MongoDB.</summary>
    public Option<string?> MongoDB { get; } = Named<string?>("--mongodb", "KES_MONGODB", "MongoDB connection string", v => v);

    /// <summary>The data folder.</summary>
    public Option<string?> Data { get; } = Named<string?>("--data", "KES_DATA", "data folder", v => v);

    /// <summary>Partitions of topics to create.</summary>
    public Option<int> Partitions { get; } = Named("--partitions", "KES_PARTITIONS", "partitions of topics that have to be created (default 4)", v => int.Parse(v, NumberStyles.None, CultureInfo.InvariantCulture), 4);

    /// <summary>Replicas of topics to create.</summary>
    public Option<short> ReplicationFactor { get; } = Named(
        ReplicationFactorName, "KES_REPLICATION_FACTOR", "replicas of topics that have to be created (default 3, or as many as there are brokers)",
        v => short.Parse(v, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture), (short)-1);

    /// <summary>Whether to serve on topics that lose data.</summary>
    public Option<bool> AcceptDataLoss { get; } = Named("--accept-data-loss", "KES_ACCEPT_DATA_LOSS", "serve though a topic deletes or refuses what must be kept; it is told all the same", bool.Parse, false);

    /// <summary>The id of this node.</summary>
    public Option<string?> NodeId { get; } = Named<string?>("--node-id", "KES_NODE_ID", "id of this node, the same after a restart; without it the node is a new one each time", v => v);

    /// <summary>What the nodes of the application show one another.</summary>
    public Option<string?> NodeSecret { get; } = Named<string?>("--node-secret", "KES_NODE_SECRET", "what nodes show one another, 16 characters or more, the same for all; others are refused at /_node/. The variable keeps it out of the list of processes", v => v);

    /// <summary>After what silence a node's partitions go to others.</summary>
    public Option<double> SessionTimeout { get; } = Named(
        "--session-timeout", "KES_SESSION_TIMEOUT", "seconds of silence after which a node's partitions go to others (default 20)", v => double.Parse(v, NumberStyles.Float, CultureInfo.InvariantCulture), 20.0);

    /// <summary>Warm copies of each partition on other nodes.</summary>
    public Option<int> Standbys { get; } = Named("--standbys", "KES_STANDBYS", "other nodes that keep a warm copy of each partition's state (default 0)", v => int.Parse(v, NumberStyles.None, CultureInfo.InvariantCulture), 0);

    /// <summary>Whether to start although the log has events of types that the program does not have.</summary>
    public Option<bool> IgnoreUnknownEvents { get; } = Named("--ignore-unknown-events", "KES_IGNORE_UNKNOWN_EVENTS", "start although the log has events of types that this program does not have; aggregates that have them are parked when they are restored", v => bool.Parse(v));

    /// <summary>Whether to log what goes on.</summary>
    public Option<bool> Verbose { get; } = new("--verbose") { Description = "log what goes on to standard error" };

    /// <summary>All of them.</summary>
    public IEnumerable<Option> All => [Kafka, KafkaSettings, Registry, RegistrySettings, MongoDB, Data, Partitions, ReplicationFactor, AcceptDataLoss, NodeId, NodeSecret, SessionTimeout, Standbys, IgnoreUnknownEvents, Verbose];

    /// <summary>The addresses that were named.</summary>
    /// <exception cref="InvalidInputException">A setting is not of the form name=value.</exception>
    public ServerAddresses AddressesOf(ParseResult result) => new()
    {
        Kafka = result.GetValue(Kafka),
        KafkaSettings = Pairs(result.GetValue(KafkaSettings)!, KafkaSettings.Name),
        Registry = result.GetValue(Registry),
        RegistrySettings = Pairs(result.GetValue(RegistrySettings)!, RegistrySettings.Name),
        MongoDB = result.GetValue(MongoDB),
    };

    /// <summary>An option whose default comes from an environment variable.</summary>
    public static Option<T> Named<T>(string name, string variable, string description, Func<string, T> parse, T fallback = default!) => new(name)
    {
        Description = $"{description} [{variable}]",
        DefaultValueFactory = result =>
        {
            if (Environment.GetEnvironmentVariable(variable) is not { Length: > 0 } text)
                return fallback;
            try
            {
                return parse(text);
            }
            catch (Exception unreadable) when (unreadable is FormatException or OverflowException)
            {
                result.AddError($"The environment variable {variable} is '{text}', which {name} cannot take: {unreadable.Message}");
                return fallback;
            }
        },
    };

    private static Option<string[]> Settings(string name, string variable, string description) => new(name)
    {
        Description = $"{description} [{variable}, with ; between]",
        DefaultValueFactory = _ => (Environment.GetEnvironmentVariable(variable) ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
    };

    internal static Dictionary<string, string> Pairs(string[] settings, string option)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string setting in settings)
        {
            int equals = setting.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1)
                throw new InvalidInputException(option, $"{option} '{setting}' is not of the form name=value.");
            pairs[setting[..equals].Trim()] = setting[(equals + 1)..].Trim();
        }

        return pairs;
    }
}
