using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>How to reach a Kafka cluster. Its text hides secrets.</summary>
public sealed record KafkaConnection
{
    // What a client holds in memory. Librdkafka's own limits are 64 MiB and a fetch of 50 MiB for each consumer, and 1 GiB for each
    // producer; a node has a dozen of them.
    private const int MaxFetchedBytes = 16 * 1024 * 1024;
    private const string CheckOnly = "check"; // no broker is asked for it
    private const int MaxUnsentBytes = 32 * 1024 * 1024;
    // What the guarantees rest on, and where else a user may say it.
    private static readonly Dictionary<string, string> Fixed = new(StringComparer.Ordinal)
    {
        ["bootstrap.servers"] = "say it with --kafka",
        ["metadata.broker.list"] = "say it with --kafka",
        ["group.id"] = "groups are named after application and aggregate",
        ["group.instance.id"] = "say it with --node-id",
        ["group.protocol"] = "partitions are given out by the classic protocol",
        ["partition.assignment.strategy"] = "partitions are given out cooperatively",
        ["isolation.level"] = "readers see what is committed alone",
        ["auto.offset.reset"] = "where a reader begins is known from the log",
        ["enable.auto.commit"] = "offsets are committed with what was made of them",
        ["enable.auto.offset.store"] = "offsets are committed with what was made of them",
        ["enable.partition.eof"] = "readers that need it set it",
        ["allow.auto.create.topics"] = "topics are declared",
        ["transactional.id"] = "each partition has a writer of its own",
        ["enable.idempotence"] = "nothing is written twice",
        ["acks"] = "all replicas acknowledge what is written",
        ["request.required.acks"] = "all replicas acknowledge what is written",
        ["partitioner"] = "a key lies where murmur2 says",
        ["delivery.report.only.error"] = "writers need every report",
    };

    private static readonly string[] Protocols = ["PLAINTEXT://", "SSL://", "SASL_PLAINTEXT://", "SASL_SSL://"];

    /// <summary>The brokers, <c>host:port</c> with commas between.</summary>
    public required string BootstrapServers { get; init; }

    /// <summary>
    /// Settings for every client, by librdkafka's names, such as <c>security.protocol</c>. They win over this library's own, but for those
    /// that its guarantees rest on, such as <c>isolation.level</c> and <c>acks</c>: <see cref="Validate"/> refuses them.
    /// </summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>Where the records are that have left topics of this cluster; null: none have, or nobody knows.</summary>
    internal IColdTier? Cold { get; init; }

    /// <summary>Checks the addresses, and the settings by librdkafka's own rules; no broker is asked.</summary>
    /// <exception cref="InvalidInputException">An address is not <c>host:port</c>, a setting is not for users to change, or librdkafka does
    /// not take it; values of secrets are not repeated.</exception>
    public void Validate()
    {
        foreach (string address in BootstrapServers.Split(',', StringSplitOptions.TrimEntries))
        {
            string plain = Protocols.FirstOrDefault(p => address.StartsWith(p, StringComparison.OrdinalIgnoreCase)) is { } protocol
                ? address[protocol.Length..]
                : address;
            int colon = plain.LastIndexOf(':');
            if (colon < 1 || !ushort.TryParse(plain[(colon + 1)..], out ushort port) || port == 0 || !IsHost(plain[..colon]))
                throw new InvalidInputException("Kafka",
                    $"Kafka: '{Secrets.Redact(address)}' is not a Kafka address of the form host:port.");
        }

        foreach ((string name, _) in Settings)
        {
            if (Fixed.TryGetValue(name, out string? why))
                throw new InvalidInputException("--kafka-setting",
                    $"--kafka-setting {name} cannot be set, as what is promised rests on it: {why}.");
            if (name.StartsWith("dotnet.", StringComparison.Ordinal))
                throw new InvalidInputException("--kafka-setting",
                    $"--kafka-setting {name} cannot be set: it is of the client library of this process, not of Kafka.");
        }

        if (Settings.Count == 0)
            return;
        try
        {
            // Each kind by itself: settings may be right one by one, and not with those that a kind has.
            BuildAdmin().Dispose();
            new ConsumerBuilder<byte[], byte[]>(Consumer(CheckOnly)).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { })
                .Build().Dispose();
            new ProducerBuilder<byte[], byte[]>(Producer()).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build().Dispose();
        }
        catch (Exception refused) when (refused is InvalidOperationException or ArgumentException or FormatException or KafkaException)
        {
            string message = Settings.Where(s => Secrets.IsSecret(s.Key) && s.Value.Length > 0).Aggregate(refused.Message,
                (text, secret) => text.Replace(secret.Value, Secrets.Hidden, StringComparison.Ordinal));
            throw new InvalidInputException("KafkaSettings",
                $"KafkaSettings has a setting that librdkafka does not take: {message}", refused);
        }
    }

    /// <summary>The configuration of an admin client.</summary>
    // as of a producer, librdkafka's default is true: a question for a topic would make it
    public AdminClientConfig Admin() => Apply(new AdminClientConfig { AllowAutoCreateTopics = false });

    /// <summary>An admin client that logs nothing: each of its calls tells what has failed.</summary>
    internal IAdminClient BuildAdmin() =>
        new AdminClientBuilder(Admin()).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();

    /// <summary>The configuration of a consumer, read-committed and without auto-commit.</summary>
    public ConsumerConfig Consumer(string groupId) => Apply(new ConsumerConfig
    {
        GroupId = groupId,
        EnableAutoCommit = false,
        EnableAutoOffsetStore = false,
        AutoOffsetReset = AutoOffsetReset.Earliest,
        IsolationLevel = IsolationLevel.ReadCommitted,
        AllowAutoCreateTopics = false,
        // The default of a second halves a fast consumer.
        FetchQueueBackoffMs = 1,
        FetchMaxBytes = MaxFetchedBytes,
        QueuedMaxMessagesKbytes = MaxFetchedBytes / 1024,
        FetchErrorBackoffMs = 50,
        ReconnectBackoffMs = 20,
        ReconnectBackoffMaxMs = 1_000,
        SocketNagleDisable = true,
    });

    /// <summary>The configuration of a consumer that reads up to the end of a partition and learns of it at once.</summary>
    public ConsumerConfig BoundedReader(string groupId)
    {
        ConsumerConfig config = Consumer(groupId);
        config.EnablePartitionEof = true;
        config.FetchWaitMaxMs = 5; // the end is an empty answer: nothing to wait for
        return config;
    }

    /// <summary>The configuration of a producer: idempotent, acknowledged by all replicas.</summary>
    public ProducerConfig Producer() => Apply(new ProducerConfig
    {
        EnableIdempotence = true,
        Acks = Acks.All,
        QueueBufferingMaxKbytes = MaxUnsentBytes / 1024,
        LingerMs = 1,
        RetryBackoffMs = 5,
        RetryBackoffMaxMs = 200,
        ReconnectBackoffMs = 20,
        ReconnectBackoffMaxMs = 1_000,
        SocketNagleDisable = true,
        AllowAutoCreateTopics = false,
    });

    /// <summary>The addresses and settings, secrets hidden.</summary>
    public override string ToString() =>
        $"Kafka {BootstrapServers}"
            + string.Concat(Settings.Select(s => $"; {s.Key}={(Secrets.IsSecret(s.Key) ? Secrets.Hidden : s.Value)}"));

    /// <summary>Passes librdkafka's log lines on.</summary>
    public static void Log(ILogger logger, LogMessage line) =>
        KafkaLog.Client(logger, line.Level <= SyslogLevel.Error ? LogLevel.Warning : LogLevel.Debug, line.Name, line.Facility,
            line.Message);

    /// <summary>
    /// Whether what a client was told passes by itself, so that the same client can go on: a leader or a coordinator is being found, a
    /// topic is not known to a broker yet, a connection is made again.
    /// </summary>
    public static bool IsPassing(Error error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return KafkaPatience.IsPassing(error);
    }

    // A name, an IPv4 address, or an IPv6 address in brackets.
    private static bool IsHost(string host) => host is ['[', .., ']']
        ? System.Net.IPAddress.TryParse(host, out _)
        : host.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');

    private TConfig Apply<TConfig>(TConfig config)
        where TConfig : ClientConfig
    {
        config.BootstrapServers = BootstrapServers;
        // Librdkafka's default throws all that it knows of the brokers away when none can be reached for a moment, coordinators included; a
        // transaction that is under way then waits for its whole time-out.
        config.MetadataRecoveryStrategy = MetadataRecoveryStrategy.None;
        foreach ((string name, string value) in Settings)
            config.Set(name, value);
        return config;
    }
}

internal static partial class KafkaLog
{
    [LoggerMessage(Message = "{Client} {Facility}: {Text}")]
    public static partial void Client(ILogger logger, LogLevel level, string client, string facility, string text);
}
