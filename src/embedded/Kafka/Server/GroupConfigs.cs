using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Log;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>
/// The configs of groups (KIP-848): what was set, and the broker's defaults behind it. Those of consumer groups take effect with the next
/// heartbeat; those of share and streams groups, which this broker does not offer, are kept and told. Thread-safe.
/// </summary>
internal sealed class GroupConfigs
{
    private const string ConsumerSessionTimeout = "consumer.session.timeout.ms";
    private const string ConsumerHeartbeatInterval = "consumer.heartbeat.interval.ms";

    private readonly ConfigStore _store;
    private readonly Dictionary<string, ConfigDefinition> _byName;
    private readonly Dictionary<string, (int Min, int Max)> _ranges;

    public GroupConfigs(string directory, EmbeddedKafkaOptions options)
    {
        _store = new ConfigStore(Path.Combine(directory, "group-configs.json"));
        int session = (int)options.ConsumerSessionTimeout.TotalMilliseconds;
        int heartbeat = (int)options.ConsumerHeartbeatInterval.TotalMilliseconds;
        ConfigDefinition Number(string name, int value, int min = 1) =>
            new(name, ConfigType.Int, value.ToString(CultureInfo.InvariantCulture), "group." + name) { Min = min };
        ConfigDefinition[] definitions =
        [
            Number(ConsumerHeartbeatInterval, heartbeat),
            Number(ConsumerSessionTimeout, session),
            new("share.auto.offset.reset", ConfigType.String, "latest") { Allowed = ["latest", "earliest"] },
            Number("share.heartbeat.interval.ms", 5_000),
            new("share.isolation.level", ConfigType.String, "read_uncommitted") { Allowed = ["read_committed", "read_uncommitted"] },
            Number("share.record.lock.duration.ms", 30_000, min: 1_000),
            Number("share.session.timeout.ms", 45_000),
            Number("streams.heartbeat.interval.ms", 5_000),
            Number("streams.num.standby.replicas", 0, min: 0),
            Number("streams.session.timeout.ms", 45_000),
        ];
        _byName = definitions.ToDictionary(d => d.Name);
        // Kafka's limits; a broker that was started with shorter times takes these for groups, too.
        _ranges = new()
        {
            [ConsumerHeartbeatInterval] = (Math.Min(5_000, heartbeat), Math.Max(15_000, heartbeat)),
            [ConsumerSessionTimeout] = (Math.Min(45_000, session), Math.Max(60_000, session)),
            ["share.heartbeat.interval.ms"] = (5_000, 15_000),
            ["share.record.lock.duration.ms"] = (15_000, 60_000),
            ["share.session.timeout.ms"] = (45_000, 60_000),
            ["streams.heartbeat.interval.ms"] = (5_000, 15_000),
            ["streams.num.standby.replicas"] = (0, 2),
            ["streams.session.timeout.ms"] = (45_000, 60_000),
        };
    }

    public IEnumerable<ConfigDefinition> All => _byName.Values;

    /// <summary>The groups of which something was set.</summary>
    public IEnumerable<string> Groups => _store.Names;

    /// <summary>The shortest and the longest time that a group may have, under the names of the broker's configs.</summary>
    public IEnumerable<(string Name, int Value)> Limits =>
        _ranges.SelectMany(r => new[] { (LimitName(r.Key, "min"), r.Value.Min), (LimitName(r.Key, "max"), r.Value.Max) }).Where(l =>
            l.Item1 != LimitName("streams.num.standby.replicas", "min"));

    public TimeSpan SessionTimeoutOf(string group) => Milliseconds(group, ConsumerSessionTimeout);

    public TimeSpan HeartbeatIntervalOf(string group) => Milliseconds(group, ConsumerHeartbeatInterval);

    /// <summary>What was set, without defaults.</summary>
    public IReadOnlyDictionary<string, string> ValuesOf(string group) => _store.ValuesOf(group);

    public ConfigDefinition? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>
    /// Puts <paramref name="values"/> in the place of all that was set of a group; why it cannot, in Kafka's words, or null.
    /// </summary>
    public string? Change(string group, IReadOnlyDictionary<string, string> values, bool validateOnly)
    {
        string? wrong = Check(values);
        if (wrong is null && !validateOnly)
            _store.Put(group, values);
        return wrong;
    }

    private static string LimitName(string name, string limit) =>
        $"group.{name[..name.IndexOf('.', StringComparison.Ordinal)]}.{limit}{name[name.IndexOf('.', StringComparison.Ordinal)..]}";

    private string? Check(IReadOnlyDictionary<string, string> values)
    {
        foreach ((string name, string value) in values)
        {
            if (!_byName.TryGetValue(name, out ConfigDefinition? definition))
                return $"Unknown group config name: {name}";
            if (definition.Check(value) is { } wrong)
                return wrong;
        }

        int Number(string name) => int.Parse(values.GetValueOrDefault(name) ?? _byName[name].Default, NumberStyles.Number,
            CultureInfo.InvariantCulture);
        foreach ((string name, (int min, int max)) in _ranges)
        {
            if (Number(name) < min)
                return $"{name} must be greater than or equal to {LimitName(name, "min")}";
            if (Number(name) > max)
                return $"{name} must be less than or equal to {LimitName(name, "max")}";
        }

        foreach (string kind in (string[])["consumer", "share", "streams"])
        {
            if (Number($"{kind}.session.timeout.ms") <= Number($"{kind}.heartbeat.interval.ms"))
                return $"{kind}.session.timeout.ms must be greater than {kind}.heartbeat.interval.ms";
        }

        return null;
    }

    private TimeSpan Milliseconds(string group, string name) =>
        TimeSpan.FromMilliseconds(int.Parse(ValuesOf(group).GetValueOrDefault(name) ?? _byName[name].Default, NumberStyles.Number,
            CultureInfo.InvariantCulture));
}
