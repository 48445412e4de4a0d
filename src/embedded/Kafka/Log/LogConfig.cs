using System.Globalization;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>A topic config that Kafka documents: its default and what it may be.</summary>
internal sealed record ConfigDefinition(string Name, string Default, ConfigKind Kind, long Min = long.MinValue, string[]? Allowed = null)
{
    /// <summary>Why <paramref name="value"/> cannot be taken, in Kafka's words; null when it can.</summary>
    public string? Check(string? value)
    {
        if (value is null)
            return null;
        bool valid = Kind switch
        {
            ConfigKind.Boolean => value is "true" or "false",
            ConfigKind.Integer => long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) && number >= Min,
            ConfigKind.Fraction => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double fraction) && fraction is >= 0 and <= 1,
            ConfigKind.List => value.Split(',').All(v => Allowed!.Contains(v.Trim())),
            ConfigKind.Choice => Allowed!.Contains(value),
            _ => true,
        };
        return valid ? null : $"Invalid value {value} for configuration {Name}";
    }
}

/// <summary>The kind of a config's values; the numbers are those of the DescribeConfigs API.</summary>
internal enum ConfigKind : sbyte
{
    Boolean = 1,
    Choice = 2,
    Integer = 5,
    Fraction = 6,
    List = 7,
    Any = 9,
}

/// <summary>A topic's configs: what was set, and the defaults behind it. Immutable.</summary>
internal sealed class LogConfig
{
    private static readonly ConfigDefinition[] Definitions =
    [
        new("cleanup.policy", "delete", ConfigKind.List, Allowed: ["delete", "compact"]),
        new("compression.type", "producer", ConfigKind.Choice, Allowed: ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        new("delete.retention.ms", "86400000", ConfigKind.Integer, 0),
        new("file.delete.delay.ms", "60000", ConfigKind.Integer, 0),
        new("flush.messages", "9223372036854775807", ConfigKind.Integer, 1),
        new("flush.ms", "9223372036854775807", ConfigKind.Integer, 0),
        new("follower.replication.throttled.replicas", "", ConfigKind.Any),
        new("index.interval.bytes", "4096", ConfigKind.Integer, 0),
        new("leader.replication.throttled.replicas", "", ConfigKind.Any),
        new("local.retention.bytes", "-2", ConfigKind.Integer, -2),
        new("local.retention.ms", "-2", ConfigKind.Integer, -2),
        new("max.compaction.lag.ms", "9223372036854775807", ConfigKind.Integer, 1),
        new("max.message.bytes", "1048588", ConfigKind.Integer, 0),
        new("message.timestamp.after.max.ms", "3600000", ConfigKind.Integer, 0),
        new("message.timestamp.before.max.ms", "9223372036854775807", ConfigKind.Integer, 0),
        new("message.timestamp.type", "CreateTime", ConfigKind.Choice, Allowed: ["CreateTime", "LogAppendTime"]),
        new("min.cleanable.dirty.ratio", "0.5", ConfigKind.Fraction),
        new("min.compaction.lag.ms", "0", ConfigKind.Integer, 0),
        new("min.insync.replicas", "1", ConfigKind.Integer, 1),
        new("preallocate", "false", ConfigKind.Boolean),
        new("remote.storage.enable", "false", ConfigKind.Boolean),
        new("retention.bytes", "-1", ConfigKind.Integer, -1),
        new("retention.ms", "604800000", ConfigKind.Integer, -1),
        new("segment.bytes", "1073741824", ConfigKind.Integer, 1024),
        new("segment.index.bytes", "10485760", ConfigKind.Integer, 4),
        new("segment.jitter.ms", "0", ConfigKind.Integer, 0),
        new("segment.ms", "604800000", ConfigKind.Integer, 1),
        new("unclean.leader.election.enable", "false", ConfigKind.Boolean),
    ];

    private static readonly Dictionary<string, ConfigDefinition> ByName = Definitions.ToDictionary(d => d.Name);

    public LogConfig(IReadOnlyDictionary<string, string> values)
    {
        Values = values;
        string[] policies = Text("cleanup.policy").Split(',', StringSplitOptions.TrimEntries);
        Deletes = policies.Contains("delete");
        Compacts = policies.Contains("compact");
        RetentionMs = Number("retention.ms");
        RetentionBytes = Number("retention.bytes");
        SegmentBytes = Number("segment.bytes");
        SegmentMs = Number("segment.ms");
        MaxMessageBytes = Number("max.message.bytes");
        IndexIntervalBytes = Number("index.interval.bytes");
        MinCompactionLagMs = Number("min.compaction.lag.ms");
        DeleteRetentionMs = Number("delete.retention.ms");
        MinCleanableDirtyRatio = double.Parse(Text("min.cleanable.dirty.ratio"), CultureInfo.InvariantCulture);
        FlushMessages = Number("flush.messages");
        StampsAppendTime = Text("message.timestamp.type") == "LogAppendTime";
    }

    public static IReadOnlyList<ConfigDefinition> All => Definitions;

    /// <summary>What was set, without defaults.</summary>
    public IReadOnlyDictionary<string, string> Values { get; }

    public bool Deletes { get; }

    public bool Compacts { get; }

    public long RetentionMs { get; }

    public long RetentionBytes { get; }

    public long SegmentBytes { get; }

    public long SegmentMs { get; }

    public long MaxMessageBytes { get; }

    public long IndexIntervalBytes { get; }

    public long MinCompactionLagMs { get; }

    public long DeleteRetentionMs { get; }

    public double MinCleanableDirtyRatio { get; }

    public long FlushMessages { get; }

    public bool StampsAppendTime { get; }

    /// <summary>Why the configs cannot be taken; null when they can.</summary>
    public static string? Check(IEnumerable<KeyValuePair<string, string?>> values)
    {
        foreach ((string name, string? value) in values)
        {
            if (!ByName.TryGetValue(name, out ConfigDefinition? definition))
                return $"Unknown topic config name: {name}";
            if (definition.Check(value) is { } wrong)
                return wrong;
        }

        return null;
    }

    public string Text(string name) => Values.TryGetValue(name, out string? value) ? value : ByName[name].Default;

    private long Number(string name) => long.Parse(Text(name), CultureInfo.InvariantCulture);
}
