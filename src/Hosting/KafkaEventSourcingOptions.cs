using System.Collections.ObjectModel;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Hosting.Hosts;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting;

/// <summary>
/// How one node of an application runs. Configuration binds it, from <c>appsettings.json</c>, from variables such as
/// <c>KafkaEventSourcing__Partitions</c>, and from user secrets; the command line sets the same properties by its options. It is checked
/// before anything starts; an error names the property, or the option.
/// </summary>
public sealed class KafkaEventSourcingOptions
{
    /// <summary>
    /// The section of the configuration that errors name when no other was bound, and that programs of the command line read.
    /// </summary>
    public const string SectionName = "KafkaEventSourcing";

    /// <summary>The Kafka brokers, <c>host:port</c> with commas between.</summary>
    public string? Kafka { get; set; }

    /// <summary>Settings of every Kafka client, by librdkafka's names, such as <c>security.protocol</c>.</summary>
    public IDictionary<string, string> KafkaSettings { get; } = new Dictionary<string, string>();

    /// <summary>The Schema Registry's URL.</summary>
    public string? SchemaRegistry { get; set; }

    /// <summary>Settings of the registry's client, by Confluent's names.</summary>
    public IDictionary<string, string> SchemaRegistrySettings { get; } = new Dictionary<string, string>();

    /// <summary>The MongoDB connection string. Only an application with a read model needs one.</summary>
    public string? MongoDB { get; set; }

    /// <summary>
    /// The folder of the state stores; created when it is missing. One node a folder. Null, the default: <c>data/</c> and the application's
    /// name, below the current folder.
    /// </summary>
    public string? DataDirectory { get; set; }

    /// <summary>Partitions of a topic that has to be created. Default 4; a keyed topic cannot be given more later.</summary>
    public int Partitions { get; set; } = 4;

    /// <summary>
    /// Replicas of a topic that has to be created. Default -1: 3, or as many as there are brokers; where there is one broker, its own
    /// default.
    /// </summary>
    public short ReplicationFactor { get; set; } = -1;

    /// <summary>
    /// Whether to serve on topics that lose what is the truth, as events that are deleted after a week; they are told all the same. Default
    /// false: such a node does not start.
    /// </summary>
    public bool AcceptDataLoss { get; set; }

    /// <summary>How long a caller waits for the outcome of one command. Default 30 s.</summary>
    public TimeSpan CommandTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>After how many events of a partition a snapshot barrier is written. Default 50,000.</summary>
    public int BarrierEvents { get; set; } = 50_000;

    /// <summary>
    /// The aggregate types that are restored from the snapshots of event streams instead of from barriers, each with the compacted topic
    /// that the streams keep them in. The streams must run exactly once, drop no aggregates, and remember as many commands as the nodes
    /// (<see cref="ProcessingOptions.RecentCommands"/>); a partition whose snapshots cannot be used is folded from its events. None by
    /// default.
    /// </summary>
    public IDictionary<string, string> StreamSnapshots { get; } = new Dictionary<string, string>();

    /// <summary>How long start-up may take until every partition serves. Default 5 min.</summary>
    public TimeSpan StartTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The id of this node among its fellows, 1 to 128 letters, digits, dots, hyphens and underscores. Given, the node stays a member of
    /// its groups over a restart, and nothing moves when it is back within <see cref="SessionTimeout"/>. Null, the default: a new id each
    /// time, and its partitions move as soon as it ends.
    /// </summary>
    public string? NodeId { get; set; }

    /// <summary>After what silence of a node its partitions go to others. Default 20 s.</summary>
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// The most bytes of commands that wait on this node, of each aggregate type; beyond it the command topic is paused and the direct door
    /// refuses. Null, the default: by the memory that the process may have.
    /// </summary>
    public long? MaxWaitingBytes { get; set; }

    /// <summary>How many other nodes keep a warm copy of each partition's state. Default 0.</summary>
    public int Standbys { get; set; }

    /// <summary>How long a strong read looks for an owner that answers, while partitions move. Default 10 s.</summary>
    public TimeSpan ReadTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// What nodes show one another, 16 to 1,024 visible ASCII characters, the same for all nodes. Null, the default: in a host of the
    /// user's the paths for other nodes are not mapped, so that nobody passes by the application's authorization; a node of the command
    /// line answers whoever reaches its <c>/_node/</c> paths.
    /// </summary>
    public string? NodeSecret { get; set; }

    /// <summary>
    /// For how long Kafka may be silent, or one transaction under way, before the node says that it is not ready. Default 10 s.
    /// </summary>
    public TimeSpan BrokerSilence { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Whether to serve although the log has events of types that the application does not have. Default false: the start is refused, and
    /// names them.
    /// </summary>
    public bool IgnoreUnknownEvents { get; set; }

    /// <summary>
    /// Where other nodes reach this one, such as <c>http://node-1:8080</c>. Null, the default: the first address that the server listens
    /// at.
    /// </summary>
    public Uri? Advertise { get; set; }

    /// <summary>
    /// For how long the host still takes requests after it was asked to end and is not ready, so that load balancers notice. Default 5 s;
    /// the host's own <c>ShutdownTimeout</c> bounds it.
    /// </summary>
    public TimeSpan Drain { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether the host's start waits until the node serves. Default false: the host starts at once, and commands and reads are refused as
    /// unavailable until then.
    /// </summary>
    public bool WaitForStart { get; set; }

    /// <summary>The largest request body of the HTTP interface, in bytes. Default 1 MiB; beyond it the answer is 413.</summary>
    public long MaxBodyBytes { get; set; } = 1024 * 1024;

    /// <summary>
    /// The most bytes that the bodies of all requests may have which are being answered; beyond it the answer is 503 with
    /// <c>Retry-After</c>, but for a single one. Default a sixty-fourth of the memory that the process may have, from 4 to 64 MiB.
    /// </summary>
    public long MaxBodyBytesInFlight { get; set; } = NodeMemory.BodyBytes;

    /// <summary>How long a read of the HTTP interface waits for its consistency token. Default 10 s.</summary>
    public TimeSpan TokenTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How commands are decided.</summary>
    public ProcessingOptions Processing
    {
        get;
        set => field = value ?? new(); // configuration gives null where JSON has it
    } = new();

    /// <summary>How the state stores (RocksDB) use memory and files.</summary>
    public StateStoreOptions StateStores
    {
        get;
        set => field = value ?? new(); // configuration gives null where JSON has it
    } = new();

    /// <summary>Where events are archived, and how long they stay in their topics.</summary>
    public ArchiveOptions Archive
    {
        get;
        set => field = value ?? new(); // configuration gives null where JSON has it
    } = new();

    /// <summary>Where the master key is that personal data is sealed by.</summary>
    public PersonalDataOptions PersonalData
    {
        get;
        set => field = value ?? new(); // configuration gives null where JSON has it
    } = new();

    /// <summary>How read models are kept.</summary>
    public ReadModelOptions ReadModels
    {
        get;
        set => field = value ?? new(); // configuration gives null where JSON has it
    } = new();

    /// <summary>
    /// By the name of a subscription, the options that are others than its definition says, as <c>Subscriptions:mailer:Attempts</c>: those
    /// of <see cref="KafkaEventSourcing.Subscriptions.SubscriptionOptions"/>.
    /// </summary>
    public IDictionary<string, Dictionary<string, string>> Subscriptions { get; } = new Dictionary<string, Dictionary<string, string>>();

    internal ServerAddresses Addresses => new()
    {
        Kafka = Kafka,
        KafkaSettings = Given(KafkaSettings),
        Registry = SchemaRegistry,
        RegistrySettings = Given(SchemaRegistrySettings),
        MongoDB = MongoDB,
    };

    internal NodeSecret? Secret => NodeSecret is { } secret ? Hosting.NodeSecret.Parse(secret) : null;

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names the property.</exception>
    public void Validate()
    {
        foreach (InvalidInputException wrong in OptionRules.Failures(this))
            throw wrong;
    }

    // What JSON has as null says nothing.
    private static ReadOnlyDictionary<string, string> Given(IDictionary<string, string> settings) =>
        settings.Where(s => s.Value is not null).ToDictionary().AsReadOnly();

    /// <summary>The folder of a node of <paramref name="application"/>.</summary>
    internal string DataDirectoryOf(string application) => Path.GetFullPath(DataDirectory ?? Path.Combine("data", application));
}
