using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>
/// A config of the broker: its value at start, whether that was given to it or is Kafka's default, and what it may be changed to while the
/// broker runs; null: it may not.
/// </summary>
internal sealed record BrokerConfig(string Name, string? Default, ConfigType Kind, bool IsGiven = false, ConfigDefinition? Dynamic = null);

/// <summary>
/// The configs of the broker under Kafka's names: what the options say, which is read-only, and those that Kafka lets an administrator
/// change, for this broker or for all of the cluster. The defaults of topic configs take effect at once; the others concern more than one
/// node or a login of Kafka's own, are kept and told, and have no effect here. Thread-safe.
/// </summary>
internal sealed class BrokerConfigs
{
    /// <summary>The name under which the defaults of all brokers are set.</summary>
    public const string Cluster = "";

    private readonly string _node;
    private readonly ConfigStore _changed;
    private readonly Lazy<Dictionary<string, BrokerConfig>> _all;
    private IReadOnlyDictionary<string, string> _topicDefaults;

    public BrokerConfigs(string directory, Broker broker)
    {
        _node = broker.NodeName;
        _changed = new ConfigStore(Path.Combine(directory, "broker-overrides.json"));
        _all = new(() => Definitions(broker).DistinctBy(c => c.Name).ToDictionary(c => c.Name)); // when it is asked for, the port is known
        _topicDefaults = ReadTopicDefaults();
    }

    public IEnumerable<BrokerConfig> All => _all.Value.Values.OrderBy(c => c.Name, StringComparer.Ordinal);

    /// <summary>The defaults of topic configs that were changed while it ran, under the names that topics have for them.</summary>
    public IReadOnlyDictionary<string, string> TopicDefaults => Volatile.Read(ref _topicDefaults);

    /// <summary>What was changed while it ran, of a broker or of the cluster.</summary>
    public IReadOnlyDictionary<string, string> ValuesOf(string broker) => _changed.ValuesOf(broker);

    /// <summary>
    /// Where the value of a config comes from, what counts first: from what an administrator set, from the start, from Kafka's defaults,
    /// under all of its names, beginning where it has a value under this one.
    /// </summary>
    public IEnumerable<ConfigValue> SourcesOf(string name)
    {
        IReadOnlyList<string> names = LogConfig.All.FirstOrDefault(d => d.Synonyms.Contains(name))?.Synonyms ?? [name];
        (IReadOnlyDictionary<string, string> node, IReadOnlyDictionary<string, string> cluster) = (ValuesOf(_node), ValuesOf(Cluster));
        string Told(string synonym, string value) => _all.Value.GetValueOrDefault(synonym)?.Dynamic?.Normalize(value) ?? value;
        IEnumerable<ConfigValue> OfLevel(Func<string, string?> valueOf, ConfigSource source) =>
            names.Select(n => (Name: n, Value: valueOf(n))).Where(v => v.Value is not null).Select(v =>
                new ConfigValue(v.Name, Told(v.Name, v.Value!), source));
        string? AtStart(string synonym, bool isGiven) =>
            _all.Value.TryGetValue(synonym, out BrokerConfig? config) && config.IsGiven == isGiven ? config.Default : null;
        return OfLevel(node.GetValueOrDefault, ConfigSource.DynamicBroker)
            .Concat(OfLevel(cluster.GetValueOrDefault, ConfigSource.DynamicDefaultBroker))
            .Concat(OfLevel(n => AtStart(n, isGiven: true), ConfigSource.StaticBroker))
            .Concat(OfLevel(n => AtStart(n, isGiven: false), ConfigSource.Default))
            .SkipWhile(v => v.Name != name);
    }

    /// <summary>
    /// Puts <paramref name="values"/> in the place of all that was changed before, of a broker or of the cluster; why it cannot, or null.
    /// </summary>
    public string? Change(string broker, IReadOnlyDictionary<string, string> values, bool validateOnly)
    {
        foreach ((string name, string value) in values)
        {
            if (!_all.Value.TryGetValue(name, out BrokerConfig? config))
                return $"Unknown broker config name: {name}";
            if (config.Dynamic is not { } rule)
                return $"Cannot update these configs dynamically: Set({name})";
            if (rule.Check(value) is { } wrong)
                return wrong;
        }

        if (validateOnly)
            return null;
        _changed.Put(broker, values);
        Volatile.Write(ref _topicDefaults, ReadTopicDefaults());
        return null;
    }

    private Dictionary<string, string> ReadTopicDefaults()
    {
        var defaults = new Dictionary<string, string>();
        foreach (ConfigDefinition definition in LogConfig.All.Where(d => d.Synonyms.Length > 0))
        {
            if ((ValuesOf(_node).GetValueOrDefault(definition.Synonyms[0])
                ?? ValuesOf(Cluster).GetValueOrDefault(definition.Synonyms[0])) is { } value)
                defaults[definition.Name] = value;
        }

        return defaults;
    }

    private static IEnumerable<BrokerConfig> Definitions(Broker broker)
    {
        EmbeddedKafkaOptions options = broker.Options;
        static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
        static BrokerConfig Given(string name, string value, ConfigType kind = ConfigType.String) => new(name, value, kind, IsGiven: true);
        static BrokerConfig Number(string name, long value) => new(name, Text(value), ConfigType.Int, IsGiven: true);
        static BrokerConfig Ms(string name, TimeSpan value) =>
            new(name, Text((long)value.TotalMilliseconds), ConfigType.Int, IsGiven: true);
        static BrokerConfig Dynamic(string name, string value, ConfigType kind) =>
            new(name, value, kind, Dynamic: new ConfigDefinition(name, kind, value) { Min = 0 });
        string listener = string.Create(CultureInfo.InvariantCulture, $"{broker.ListenerName}://{broker.Host}:{broker.Port}");
        return
        [
            Given("advertised.listeners", listener, ConfigType.List),
            Given("auto.create.topics.enable", options.AutoCreateTopics ? "true" : "false", ConfigType.Boolean),
            Number("broker.id", broker.NodeId),
            new("broker.rack", "", ConfigType.String),
            Ms("connections.max.idle.ms", options.ConnectionMaxIdle),
            Ms("connections.max.reauth.ms", options.SaslSessionLifetime) with { Kind = ConfigType.Long },
            Given("controller.listener.names", broker.ListenerName, ConfigType.List),
            Given("controller.quorum.voters", string.Create(CultureInfo.InvariantCulture, $"{broker.NodeId}@{broker.Host}:{broker.Port}"),
                ConfigType.List),
            new("default.replication.factor", "1", ConfigType.Int),
            new("delete.topic.enable", "true", ConfigType.Boolean),
            new("fetch.max.bytes", "57671680", ConfigType.Int),
            Ms("group.consumer.heartbeat.interval.ms", options.ConsumerHeartbeatInterval),
            Ms("group.consumer.session.timeout.ms", options.ConsumerSessionTimeout),
            Number("group.consumer.max.size", options.GroupMaxSize),
            Given("group.consumer.migration.policy", options.ConsumerGroupMigrationPolicy switch
            {
                ConsumerGroupMigrationPolicy.Disabled => "disabled",
                ConsumerGroupMigrationPolicy.Upgrade => "upgrade",
                ConsumerGroupMigrationPolicy.Downgrade => "downgrade",
                _ => "bidirectional",
            }),
            .. broker.GroupConfigs.Limits.Select(l => new BrokerConfig(l.Name, Text(l.Value), ConfigType.Int)),
            .. broker.GroupConfigs.All.Where(d => d.Synonyms.Length > 0).Select(d => new BrokerConfig(d.Synonyms[0], d.Default, d.Kind)),
            Given("group.coordinator.rebalance.protocols", "classic,consumer", ConfigType.List),
            Ms("group.initial.rebalance.delay.ms", options.GroupInitialRebalanceDelay),
            Ms("group.max.session.timeout.ms", options.GroupMaxSessionTimeout),
            Number("group.max.size", options.GroupMaxSize),
            Ms("group.min.session.timeout.ms", options.GroupMinSessionTimeout),
            Given("inter.broker.listener.name", broker.ListenerName),
            Given("listener.security.protocol.map", $"{broker.ListenerName}:{broker.ListenerName}"),
            Given("listeners", listener, ConfigType.List),
            Given("log.dir", broker.LogDirectory),
            Given("log.dirs", broker.LogDirectory),
            Ms("log.retention.check.interval.ms", options.CleanInterval) with { Kind = ConfigType.Long },
            Number("max.connections", options.MaxConnections),
            Number("node.id", broker.NodeId),
            Number("num.partitions", options.DefaultPartitions),
            Number("offsets.retention.minutes", (long)options.OffsetsRetention.TotalMinutes),
            new("offset.metadata.max.bytes", "4096", ConfigType.Int),
            new("offsets.topic.compression.codec", "0", ConfigType.Int),
            Number("offsets.topic.num.partitions", 1),
            Number("offsets.topic.replication.factor", 1) with { Kind = ConfigType.Short },
            Given("process.roles", "broker,controller", ConfigType.List),
            Given("queued.max.request.bytes", Text(options.MaxInFlightBytes), ConfigType.Long),
            Given("sasl.enabled.mechanisms", options.SaslUsers.Count > 0 ? "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" : "", ConfigType.List),
            Number("socket.request.max.bytes", options.MaxRequestBytes),
            new("transaction.max.timeout.ms", "900000", ConfigType.Int),
            Number("transaction.state.log.min.isr", 1),
            Number("transaction.state.log.num.partitions", 1),
            Number("transaction.state.log.replication.factor", 1) with { Kind = ConfigType.Short },
            Dynamic("background.threads", "10", ConfigType.Int),
            Dynamic("follower.replication.throttled.rate", "9223372036854775807", ConfigType.Long),
            Dynamic("leader.replication.throttled.rate", "9223372036854775807", ConfigType.Long),
            Dynamic("num.io.threads", "8", ConfigType.Int),
            Dynamic("num.network.threads", "3", ConfigType.Int),
            Dynamic("sasl.kerberos.min.time.before.relogin", "60000", ConfigType.Long),
            Dynamic("sasl.login.refresh.buffer.seconds", "300", ConfigType.Short),
            Dynamic("sasl.login.refresh.min.period.seconds", "60", ConfigType.Short),
            new("log.flush.scheduler.interval.ms", "9223372036854775807", ConfigType.Long),
            new("log.retention.hours", "168", ConfigType.Int),
            new("log.roll.hours", "168", ConfigType.Int),
            new("log.roll.jitter.hours", "0", ConfigType.Int),
            .. LogConfig.All.SelectMany(d =>
                d.Synonyms.Select(s =>
                    new BrokerConfig(s, d.Synonyms.Length == 1 ? d.Default : null, d.Kind,
                        Dynamic: s == d.Synonyms[0] ? d with { Name = s } : null))),
        ];
    }
}
