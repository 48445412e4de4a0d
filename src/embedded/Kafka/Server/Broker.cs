using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Security;
using KafkaEventSourcing.Embedded.Kafka.Coordinator;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Network;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>The one node of the cluster: topics, logs, coordinators, and who waits for new records.</summary>
internal sealed class Broker : IDisposable
{
    public const int LeaderEpoch = 0;
    private const int ProducerIdBlock = 1_000;

    private readonly ConcurrentDictionary<TopicPartition, AppendSignal> _signals = [];
    private readonly Lock _topicLock = new();
    private readonly Lock _producerIdLock = new();
    private readonly string _producerIdFile;
    private long _nextProducerId;
    private long _reservedProducerIds;

    public Broker(string directory, EmbeddedKafkaOptions options, TimeProvider time, BrokerLoggers loggers)
    {
        (Directory, Options, Time, Loggers) = (directory, options, time, loggers);
        Configs = new BrokerConfigs(directory, this);
        Topics = new TopicStore(directory, Configs.TopicDefaults, time);
        LogDirectory = Path.Combine(directory, "logs");
        Logs = new LogManager(LogDirectory, time, loggers);
        GroupConfigs = new GroupConfigs(directory, options);
        ClientMetrics = new ClientMetricsConfigs(directory);
        Scram = new ScramStore(directory, options.SaslUsers);
        ClusterId = ReadClusterId(Path.Combine(directory, "cluster.id"), time);
        Certificate = options.TlsCertificate is { } certificate
            ? SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true)
            : null;
        _producerIdFile = Path.Combine(directory, "producer.id");
        _nextProducerId = _reservedProducerIds = File.Exists(_producerIdFile)
            ? long.Parse(File.ReadAllText(_producerIdFile), CultureInfo.InvariantCulture)
            : 0;
        CreateInternal(TopicStore.Offsets);
        CreateInternal(TopicStore.Transactions);
        foreach (Topic topic in Topics.All)
            OpenLogs(topic);
        Groups = new GroupCoordinatorService(Logs.Get(new TopicPartition(TopicStore.Offsets, 0))!, this);
        Transactions = new TransactionCoordinator(Logs.Get(new TopicPartition(TopicStore.Transactions, 0))!, this);
        Groups.Startup();
        Transactions.Startup();
        if (options.Cluster is { } cluster)
            Cluster = new Cluster(this, cluster);
    }

    /// <summary>Whether a name is the id of this broker, or of one of its cluster.</summary>
    public bool IsNode(string name) => name == NodeName
        || (Cluster is not null && Cluster.Members.Any(m => m.Id.ToString(CultureInfo.InvariantCulture) == name));

    /// <summary>The data folder.</summary>
    public string Directory { get; }

    public EmbeddedKafkaOptions Options { get; }

    public int NodeId => Options.NodeId;

    public string NodeName => NodeId.ToString(CultureInfo.InvariantCulture);

    public TimeProvider Time { get; }

    public BrokerLoggers Loggers { get; }

    public ILogger Logger => Loggers;

    public TopicStore Topics { get; }

    public LogManager Logs { get; }

    public string LogDirectory { get; }

    public ScramStore Scram { get; }

    public BrokerConfigs Configs { get; }

    public GroupConfigs GroupConfigs { get; }

    public ClientMetricsConfigs ClientMetrics { get; }

    public GroupCoordinatorService Groups { get; }

    public TransactionCoordinator Transactions { get; }

    /// <summary>The brokers that are told to clients in place of one; null: one, which leads everything.</summary>
    public Cluster? Cluster { get; private set; }

    /// <summary>On how many brokers a partition can be.</summary>
    public int BrokerCount => Options.Cluster?.Brokers ?? 1;

    public string ClusterId { get; }

    public string Host => Options.AdvertisedHost ?? (Options.Host is "0.0.0.0" ? "127.0.0.1" : Options.Host);

    public int Port { get; set; }

    /// <summary>The certificate with its chain, which is built once and not for each connection; null: no TLS.</summary>
    public SslStreamCertificateContext? Certificate { get; }

    /// <summary>The listener, named by its security protocol as Kafka does.</summary>
    public string ListenerName => (Options.SaslUsers.Count > 0, Options.TlsCertificate is not null) switch
    {
        (true, true) => "SASL_SSL",
        (true, false) => "SASL_PLAINTEXT",
        (false, true) => "SSL",
        _ => "PLAINTEXT",
    };

    public UnifiedLog? LogOf(string topic, int partition) => Logs.Get(new TopicPartition(topic, partition));

    public Topic CreateTopic(string name, int partitions, IReadOnlyDictionary<string, string> configs, int replicationFactor = 1)
    {
        lock (_topicLock)
        {
            if (Topics.Find(name) is { } already)
                return already;
            var topic = new Topic(name, Topics.NewId(), partitions, new LogConfig(configs, Configs.TopicDefaults), IsInternal: false)
            {
                ReplicationFactor = replicationFactor,
            };
            try
            {
                OpenLogs(topic); // the more likely to fail, on a full disk; folders of a topic that is not there do no harm
                Topics.Put(topic);
                Cluster?.Made(topic);
            }
            catch
            {
                Logs.Delete(PartitionsOf(topic));
                throw;
            }

            return topic;
        }
    }

    /// <summary>Gives a topic more partitions.</summary>
    public void GrowTopic(string name, int partitions) =>
        UpdateTopic(name, t => t with { Partitions = Math.Max(t.Partitions, partitions) });

    /// <summary>Puts <paramref name="configs"/> in the place of all that was set of a topic.</summary>
    public void ConfigureTopic(string name, IReadOnlyDictionary<string, string> configs) =>
        UpdateTopic(name, t => t with { Config = new LogConfig(configs, Configs.TopicDefaults) });

    /// <summary>
    /// Changes the configs of a broker or of the cluster, and with them the defaults of the topics' configs; why they cannot be changed, or
    /// null.
    /// </summary>
    public string? Configure(string name, IReadOnlyDictionary<string, string> configs, bool validateOnly)
    {
        lock (_topicLock)
        {
            string? wrong = Configs.Change(name, configs, validateOnly);
            if (wrong is null && !validateOnly)
            {
                foreach (Topic topic in Topics.ChangeDefaults(Configs.TopicDefaults))
                    OpenLogs(topic);
            }

            return wrong;
        }
    }

    /// <summary>Deletes topics together: what is kept of all topics or all logs in one file is written once.</summary>
    public void DeleteTopics(IReadOnlyCollection<Topic> topics)
    {
        if (topics.Count == 0)
            return;
        TopicPartition[] partitions = [.. topics.SelectMany(PartitionsOf)];
        lock (_topicLock)
        {
            Topics.Remove([.. topics.Select(t => t.Name)]);
            Logs.Delete(partitions);
        }

        foreach (TopicPartition partition in partitions)
            Signal(partition);
        foreach (Topic topic in topics)
            Groups.OnTopicDeleted(topic.Name);
    }

    /// <summary>A producer id that nobody has had, over restarts too.</summary>
    public long NextProducerId()
    {
        lock (_producerIdLock)
        {
            if (_nextProducerId == _reservedProducerIds)
            {
                long reserved = _reservedProducerIds + ProducerIdBlock;
                DurableFile.Replace(_producerIdFile, reserved.ToString(CultureInfo.InvariantCulture));
                _reservedProducerIds = reserved;
            }

            return _nextProducerId++;
        }
    }

    /// <summary>What learns of new records in a partition.</summary>
    public AppendSignal SignalOf(TopicPartition partition) => _signals.GetOrAdd(partition, _ => new AppendSignal());

    public void Dispose()
    {
        Cluster?.Dispose();
        Groups.Dispose();
        Transactions.Dispose();
        Logs.Dispose();
    }

    private static IEnumerable<TopicPartition> PartitionsOf(Topic topic) =>
        Enumerable.Range(0, topic.Partitions).Select(p => new TopicPartition(topic.Name, p));

    private void UpdateTopic(string name, Func<Topic, Topic> change)
    {
        lock (_topicLock)
        {
            if (Topics.Find(name) is not { } topic)
                return; // deleted meanwhile
            Topic changed = change(topic);
            OpenLogs(changed with { Config = topic.Config });
            Topics.Put(changed);
            OpenLogs(changed);
            Cluster?.Changed(changed);
        }
    }

    // Opens the logs of a topic, new ones too, and tells them its configs.
    private void OpenLogs(Topic topic)
    {
        for (int partition = 0; partition < topic.Partitions; partition++)
            Logs.Open(new TopicPartition(topic.Name, partition), topic.Config, Signal, topic.Id).Config = topic.Config;
    }

    /// <summary>Wakes who waits for records of a partition.</summary>
    public void Signal(TopicPartition partition)
    {
        if (_signals.TryGetValue(partition, out AppendSignal? signal))
            signal.Raise();
    }

    private void CreateInternal(string name)
    {
        if (Topics.Find(name) is null)
            Topics.Put(new Topic(name, Topics.NewId(), 1,
                new LogConfig(new Dictionary<string, string> { ["cleanup.policy"] = "compact", ["segment.bytes"] = "16777216" },
                    Configs.TopicDefaults), IsInternal: true));
    }

    private static string ReadClusterId(string path, TimeProvider time)
    {
        if (!File.Exists(path))
            File.WriteAllText(path,
                Convert.ToBase64String(Guid.CreateVersion7(time.GetUtcNow()).ToByteArray())[..22].Replace('+', '-').Replace('/', '_'));
        return File.ReadAllText(path);
    }
}
