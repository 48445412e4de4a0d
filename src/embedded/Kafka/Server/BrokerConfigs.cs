using System.Globalization;
using System.Text.Json;
using KafkaEventSourcing.Embedded.Kafka.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>A config of the broker: its default, and whether it may be changed while it runs.</summary>
internal sealed record BrokerConfig(string Name, string Default, ConfigType Kind, bool IsDynamic = false);

/// <summary>
/// The configs of the broker under Kafka's names: what the options say, which is read-only, and those that Kafka lets an administrator change. Of the latter, those that concern more than one node
/// or a login of Kafka's own are kept and told, and have no effect here. Thread-safe.
/// </summary>
internal sealed class BrokerConfigs
{
    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly Dictionary<string, string> _changed;
    private readonly Dictionary<string, BrokerConfig> _all;

    public BrokerConfigs(string directory, string logDirectory, EmbeddedKafkaOptions options)
    {
        _path = Path.Combine(directory, "broker-configs.json");
        _changed = File.Exists(_path) ? JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllBytes(_path)) ?? [] : [];
        string Ms(TimeSpan time) => ((long)time.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
        BrokerConfig[] configs =
        [
            new("auto.create.topics.enable", options.AutoCreateTopics ? "true" : "false", ConfigType.Boolean),
            new("broker.id", Text(Broker.NodeId), ConfigType.Long),
            new("connections.max.idle.ms", Ms(options.ConnectionMaxIdle), ConfigType.Long),
            new("default.replication.factor", "1", ConfigType.Long),
            new("delete.topic.enable", "true", ConfigType.Boolean),
            new("group.consumer.heartbeat.interval.ms", Ms(options.ConsumerHeartbeatInterval), ConfigType.Long),
            new("group.consumer.session.timeout.ms", Ms(options.ConsumerSessionTimeout), ConfigType.Long),
            new("group.initial.rebalance.delay.ms", Ms(options.GroupInitialRebalanceDelay), ConfigType.Long),
            new("group.max.session.timeout.ms", Ms(options.GroupMaxSessionTimeout), ConfigType.Long),
            new("group.max.size", Text(options.GroupMaxSize), ConfigType.Long),
            new("group.min.session.timeout.ms", Ms(options.GroupMinSessionTimeout), ConfigType.Long),
            new("log.dirs", logDirectory, ConfigType.String),
            new("max.connections", Text(options.MaxConnections), ConfigType.Long),
            new("node.id", Text(Broker.NodeId), ConfigType.Long),
            new("num.partitions", Text(options.DefaultPartitions), ConfigType.Long),
            new("offsets.retention.minutes", Text((long)options.OffsetsRetention.TotalMinutes), ConfigType.Long),
            new("offsets.topic.num.partitions", "1", ConfigType.Long),
            new("queued.max.request.bytes", Text(options.MaxInFlightBytes), ConfigType.Long),
            new("socket.request.max.bytes", Text(options.MaxRequestBytes), ConfigType.Long),
            new("transaction.state.log.num.partitions", "1", ConfigType.Long),
            new("background.threads", "10", ConfigType.Long, IsDynamic: true),
            new("follower.replication.throttled.rate", "9223372036854775807", ConfigType.Long, IsDynamic: true),
            new("leader.replication.throttled.rate", "9223372036854775807", ConfigType.Long, IsDynamic: true),
            new("num.io.threads", "8", ConfigType.Long, IsDynamic: true),
            new("num.network.threads", "3", ConfigType.Long, IsDynamic: true),
            new("sasl.kerberos.min.time.before.relogin", "60000", ConfigType.Long, IsDynamic: true),
            new("sasl.login.refresh.buffer.seconds", "300", ConfigType.Long, IsDynamic: true),
            new("sasl.login.refresh.min.period.seconds", "60", ConfigType.Long, IsDynamic: true),
        ];
        _all = configs.ToDictionary(c => c.Name);
    }

    public IEnumerable<BrokerConfig> All => _all.Values.OrderBy(c => c.Name, StringComparer.Ordinal);

    /// <summary>What was changed while it ran.</summary>
    public IReadOnlyDictionary<string, string> Changed
    {
        get
        {
            lock (_lock)
                return new Dictionary<string, string>(_changed);
        }
    }

    /// <summary>Puts <paramref name="values"/> in the place of all that was changed before; why it cannot, or null.</summary>
    public string? Change(IReadOnlyDictionary<string, string?> values, bool validateOnly)
    {
        foreach ((string name, string? value) in values)
        {
            if (!_all.TryGetValue(name, out BrokerConfig? config))
                return $"Unknown broker config name: {name}";
            if (!config.IsDynamic)
                return $"Cannot update these configs dynamically: Set({name})";
            if (!long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) || number < 0)
                return $"Invalid value {value} for configuration {name}";
        }

        if (validateOnly)
            return null;
        lock (_lock)
        {
            _changed.Clear();
            foreach ((string name, string? value) in values)
                _changed[name] = value!;
            File.WriteAllBytes(_path + ".tmp", JsonSerializer.SerializeToUtf8Bytes(_changed));
            File.Move(_path + ".tmp", _path, overwrite: true);
            return null;
        }
    }
}
