using KafkaEventSourcing.Hosting.Http;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// How an application runs in a host of the user's, as configuration binds it: from <c>appsettings.json</c>, from variables such as <c>KafkaEventSourcing__Partitions</c>, and from user secrets. It is checked when the host
/// starts; an error names the property.
/// </summary>
public sealed class KafkaEventSourcingOptions
{
    /// <summary>The section of the configuration that errors name when no other was bound.</summary>
    public const string SectionName = "KafkaEventSourcing";

    /// <summary>The Kafka brokers, <c>host:port</c> with commas between.</summary>
    public string? Kafka { get; set; }

    /// <summary>Settings of every Kafka client, by librdkafka's names, such as <c>security.protocol</c>.</summary>
    public IDictionary<string, string> KafkaSettings { get; } = new Dictionary<string, string>();

    /// <summary>The Schema Registry's URL.</summary>
    public string? SchemaRegistry { get; set; }

    /// <summary>Settings of the registry's client, by Confluent's names.</summary>
    public IDictionary<string, string> SchemaRegistrySettings { get; } = new Dictionary<string, string>();

    /// <summary>The MongoDB connection string.</summary>
    public string? MongoDB { get; set; }

    /// <summary>The folder of the state stores; created when it is missing. One node a folder. Null, the default: <c>data/</c> and the application's name, below the current folder.</summary>
    public string? DataDirectory { get; set; }

    /// <inheritdoc cref="NodeOptions.Partitions"/>
    public int Partitions { get; set; } = 4;

    /// <inheritdoc cref="NodeOptions.ReplicationFactor"/>
    public short ReplicationFactor { get; set; } = -1;

    /// <inheritdoc cref="NodeOptions.AcceptDataLoss"/>
    public bool AcceptDataLoss { get; set; }

    /// <inheritdoc cref="NodeOptions.CommandTimeout"/>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <inheritdoc cref="NodeOptions.BarrierEvents"/>
    public int BarrierEvents { get; set; } = 50_000;

    /// <inheritdoc cref="NodeOptions.StartTimeout"/>
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <inheritdoc cref="NodeOptions.NodeId"/>
    public string? NodeId { get; set; }

    /// <inheritdoc cref="NodeOptions.SessionTimeout"/>
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <inheritdoc cref="NodeOptions.MaxWaitingBytes"/>
    public long? MaxWaitingBytes { get; set; }

    /// <inheritdoc cref="NodeOptions.Standbys"/>
    public int Standbys { get; set; }

    /// <inheritdoc cref="NodeOptions.ReadTimeout"/>
    public TimeSpan ReadTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// What nodes show one another, 16 to 1,024 visible ASCII characters, the same for all nodes. Null, the default: the paths for other nodes are not mapped, so that nobody passes by the application's authorization.
    /// </summary>
    public string? NodeSecret { get; set; }

    /// <inheritdoc cref="NodeOptions.BrokerSilence"/>
    public TimeSpan BrokerSilence { get; set; } = TimeSpan.FromSeconds(10);

    /// <inheritdoc cref="NodeOptions.IgnoreUnknownEvents"/>
    public bool IgnoreUnknownEvents { get; set; }

    /// <summary>Where other nodes reach this one, such as <c>http://node-1:8080</c>. Null, the default: the first address that the server listens at.</summary>
    public Uri? Advertise { get; set; }

    /// <summary>For how long the host still takes requests after it was asked to end and is not ready, so that load balancers notice. Default 5 s; the host's own <c>ShutdownTimeout</c> bounds it.</summary>
    public TimeSpan Drain { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether the host's start waits until the node serves. Default false: the host starts at once, and commands and reads are refused as unavailable until then.</summary>
    public bool WaitForStart { get; set; }

    /// <inheritdoc cref="HttpOptions.MaxBodyBytes"/>
    public long MaxBodyBytes { get; set; } = 1024 * 1024;

    /// <inheritdoc cref="HttpOptions.MaxBodyBytesInFlight"/>
    public long MaxBodyBytesInFlight { get; set; } = NodeMemory.BodyBytes;

    /// <inheritdoc cref="HttpOptions.TokenTimeout"/>
    public TimeSpan TokenTimeout { get; set; } = TimeSpan.FromSeconds(10);

    internal ServerAddresses Addresses => new()
    {
        Kafka = Kafka,
        KafkaSettings = KafkaSettings.AsReadOnly(),
        Registry = SchemaRegistry,
        RegistrySettings = SchemaRegistrySettings.AsReadOnly(),
        MongoDB = MongoDB,
    };

    internal HttpOptions Http => new() { MaxBodyBytes = MaxBodyBytes, MaxBodyBytesInFlight = MaxBodyBytesInFlight, TokenTimeout = TokenTimeout };

    internal NodeOptions NodeOptionsOf(string application) => new()
    {
        DataDirectory = Path.GetFullPath(DataDirectory ?? Path.Combine("data", application)),
        Partitions = Partitions,
        ReplicationFactor = ReplicationFactor,
        AcceptDataLoss = AcceptDataLoss,
        CommandTimeout = CommandTimeout,
        BarrierEvents = BarrierEvents,
        StartTimeout = StartTimeout,
        NodeId = NodeId,
        SessionTimeout = SessionTimeout,
        MaxWaitingBytes = MaxWaitingBytes,
        Standbys = Standbys,
        ReadTimeout = ReadTimeout,
        NodeSecret = NodeSecret is { } secret ? Hosting.NodeSecret.Parse(secret) : null,
        BrokerSilence = BrokerSilence,
        IgnoreUnknownEvents = IgnoreUnknownEvents,
    };
}
