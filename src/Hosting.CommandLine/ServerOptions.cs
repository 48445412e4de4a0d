using System.CommandLine;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>The options that say which servers to use and where data is; each has an environment variable, and the option wins.</summary>
public sealed class ServerOptions
{
    /// <summary>The name of <see cref="ReplicationFactor"/>.</summary>
    public const string ReplicationFactorName = "--replication-factor";

    /// <summary>The Kafka brokers.</summary>
    public Option<string?> Kafka { get; } = Named<string?>("--kafka", "KES_KAFKA", "Kafka brokers, host:port[,host:port]", v => v);

    /// <summary>Settings for the Kafka clients.</summary>
    public Option<string[]> KafkaSettings { get; } = Settings("--kafka-setting", "KES_KAFKA_SETTINGS",
        "a librdkafka setting, name=value, such as security.protocol=SASL_SSL; may be repeated");

    /// <summary>The Schema Registry.</summary>
    public Option<string?> Registry { get; } = Named<string?>("--registry", "KES_REGISTRY", "Schema Registry URL", v => v);

    /// <summary>Settings for the registry client.</summary>
    public Option<string[]> RegistrySettings { get; } = Settings("--registry-setting", "KES_REGISTRY_SETTINGS",
        "a setting of Confluent's registry client, name=value; may be repeated");

    /// <summary>MongoDB.</summary>
    public Option<string?> MongoDB { get; } = Named<string?>("--mongodb", "KES_MONGODB", "MongoDB connection string", v => v);

    /// <summary>The data folder.</summary>
    public Option<string?> Data { get; } = Named<string?>("--data", "KES_DATA", "data folder", v => v);

    /// <summary>Partitions of topics to create.</summary>
    public Option<int?> Partitions { get; } = Named<int?>("--partitions", "KES_PARTITIONS",
        "partitions of topics that have to be created (default 4)", v => int.Parse(v, NumberStyles.None, CultureInfo.InvariantCulture));

    /// <summary>Replicas of topics to create.</summary>
    public Option<short?> ReplicationFactor { get; } = Named<short?>(
        ReplicationFactorName, "KES_REPLICATION_FACTOR",
        "replicas of topics that have to be created (default 3, or as many as there are brokers)",
        v => short.Parse(v, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture));

    /// <summary>Whether to serve on topics that lose data.</summary>
    public Option<bool> AcceptDataLoss { get; } = Named("--accept-data-loss", "KES_ACCEPT_DATA_LOSS",
        "serve though a topic deletes or refuses what must be kept; it is told all the same", bool.Parse, false);

    /// <summary>The id of this node.</summary>
    public Option<string?> NodeId { get; } = Named<string?>("--node-id", "KES_NODE_ID",
        "id of this node, the same after a restart; without it the node is a new one each time", v => v);

    /// <summary>What the nodes of the application show one another.</summary>
    public Option<string?> NodeSecret { get; } = Named<string?>("--node-secret", "KES_NODE_SECRET",
        "what nodes show one another, 16 characters or more, the same for all; others are refused at /_node/. The variable keeps it out "
            + "of the list of processes", v => v);

    /// <summary>After what silence a node's partitions go to others.</summary>
    public Option<double?> SessionTimeout { get; } = Named<double?>(
        "--session-timeout", "KES_SESSION_TIMEOUT", "seconds of silence after which a node's partitions go to others (default 20)",
        v => double.Parse(v, NumberStyles.Float, CultureInfo.InvariantCulture));

    /// <summary>Warm copies of each partition on other nodes.</summary>
    public Option<int?> Standbys { get; } = Named<int?>("--standbys", "KES_STANDBYS",
        "other nodes that keep a warm copy of each partition's state (default 0)",
        v => int.Parse(v, NumberStyles.None, CultureInfo.InvariantCulture));

    /// <summary>Whether to start although the log has events of types that the program does not have.</summary>
    public Option<bool> IgnoreUnknownEvents { get; } = Named("--ignore-unknown-events", "KES_IGNORE_UNKNOWN_EVENTS",
        "start although the log has events of types that this program does not have; aggregates that have them are parked when they are "
            + "restored", v => bool.Parse(v));

    /// <summary>Whether to log what goes on.</summary>
    public Option<bool> Verbose { get; } = new("--verbose") { Description = "log what goes on to standard error" };

    /// <summary>What the lines of the log are.</summary>
    public Option<string> LogFormat { get; } = CreateLogFormat();

    /// <summary>All of them.</summary>
    public IEnumerable<Option> All => [Kafka, KafkaSettings, Registry, RegistrySettings, MongoDB, Data, Partitions, ReplicationFactor,
        AcceptDataLoss, NodeId, NodeSecret, SessionTimeout, Standbys, IgnoreUnknownEvents, Verbose, LogFormat];

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

    /// <summary>After what silence a node's partitions go to others; null: it is not given.</summary>
    /// <exception cref="InvalidInputException">It is not a number of seconds that there can be.</exception>
    public TimeSpan? SessionTimeoutOf(ParseResult result)
    {
        const double longest = 3_600; // of librdkafka
        ArgumentNullException.ThrowIfNull(result);
        if (result.GetValue(SessionTimeout) is not { } seconds)
            return null;
        return seconds is >= 1 and <= longest
            ? TimeSpan.FromSeconds(seconds)
            : throw new InvalidInputException(SessionTimeout.Name,
                string.Create(CultureInfo.InvariantCulture,
                    $"{SessionTimeout.Name} is {seconds}; it must be from 1 to {longest} seconds, and what the brokers allow."));
    }

    /// <summary>Sets the properties whose options, or variables, are given.</summary>
    /// <exception cref="InvalidInputException">A value is none that there can be.</exception>
    internal void Apply(ParseResult result, KafkaEventSourcingOptions options)
    {
        ServerAddresses addresses = AddressesOf(result);
        options.Kafka = addresses.Kafka ?? options.Kafka;
        options.SchemaRegistry = addresses.Registry ?? options.SchemaRegistry;
        options.MongoDB = addresses.MongoDB ?? options.MongoDB;
        foreach ((string name, string value) in addresses.KafkaSettings)
            options.KafkaSettings[name] = value;
        foreach ((string name, string value) in addresses.RegistrySettings)
            options.SchemaRegistrySettings[name] = value;
        options.DataDirectory = result.GetValue(Data) ?? options.DataDirectory;
        options.Partitions = result.GetValue(Partitions) ?? options.Partitions;
        options.ReplicationFactor = result.GetValue(ReplicationFactor) ?? options.ReplicationFactor;
        options.AcceptDataLoss |= result.GetValue(AcceptDataLoss);
        options.NodeId = result.GetValue(NodeId) ?? options.NodeId;
        options.NodeSecret = result.GetValue(NodeSecret) ?? options.NodeSecret;
        options.SessionTimeout = SessionTimeoutOf(result) ?? options.SessionTimeout;
        options.Standbys = result.GetValue(Standbys) ?? options.Standbys;
        options.IgnoreUnknownEvents |= result.GetValue(IgnoreUnknownEvents);
    }

    /// <summary>The option <c>--log-format</c>.</summary>
    public static Option<string> CreateLogFormat() => Named(
        "--log-format", "KES_LOG_FORMAT", $"lines of the log: {LogFormatter.Text} (default), or {LogFormatter.Json}, one object a line",
        v => v, LogFormatter.Text)
        .Checked(v => v is LogFormatter.Text or LogFormatter.Json
            ? null
            : $"--log-format is '{v}'; it must be {LogFormatter.Text} or {LogFormatter.Json}.");

    /// <summary>A log as the options ask for.</summary>
    public ILoggerFactory CreateLog(ParseResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return ConsoleLog.Create(result.GetValue(Verbose), result.GetValue(LogFormat) == LogFormatter.Json);
    }

    /// <summary>
    /// An option whose default comes from an environment variable, or from the file that the same variable with <c>_FILE</c> behind its
    /// name names.
    /// </summary>
    public static Option<T> Named<T>(string name, string variable, string description, Func<string, T> parse,
        T fallback = default!) => new(name)
    {
        Description = $"{description} [{variable}]",
        DefaultValueFactory = result =>
        {
            string? text = null;
            try
            {
                text = EnvironmentText.Read(variable, out _);
                return text is null ? fallback : parse(text);
            }
            catch (InvalidInputException unusable)
            {
                result.AddError(unusable.Message);
            }
            catch (Exception unreadable) when (unreadable is FormatException or OverflowException)
            {
                result.AddError($"The environment variable {variable} is '{text}', which {name} cannot take: {unreadable.Message}");
            }

            return fallback;
        },
    };

    private static Option<string[]> Settings(string name, string variable, string description) => new(name)
    {
        Description = $"{description} [{variable}, with ; between, or \\; in a value, or one a line]",
        DefaultValueFactory = result =>
        {
            try
            {
                return EnvironmentText.Read(variable, out bool isFile) is { } text ? EnvironmentText.Settings(text, isFile) : [];
            }
            catch (InvalidInputException unusable)
            {
                result.AddError(unusable.Message);
                return [];
            }
        },
    };

    internal static Dictionary<string, string> Pairs(string[] settings, string option)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < settings.Length; i++)
        {
            int equals = settings[i].IndexOf('=', StringComparison.Ordinal);
            if (equals < 1) // the text is not repeated: it may be the rest of a password
                throw new InvalidInputException(option,
                    string.Create(CultureInfo.InvariantCulture,
                        $"{option}: setting {i + 1} of {settings.Length}, with {settings[i].Length} characters, is not of the form "
                            + $"name=value. In a variable a ; ends a setting; write \\; where it belongs to a value."));
            pairs[settings[i][..equals].Trim()] = settings[i][(equals + 1)..].Trim();
        }

        return pairs;
    }
}
