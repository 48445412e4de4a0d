using System.Globalization;
using System.Text.RegularExpressions;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// A topic's configs: what was set, the broker's defaults behind it where an administrator changed them, and Kafka's behind those.
/// Immutable. The table is that of Apache Kafka 4 ("Topic Configs").
/// </summary>
internal sealed partial class LogConfig
{
    private const string ThrottledReplicas = "leader.replication.throttled.replicas";
    private const string ThrottledFollowers = "follower.replication.throttled.replicas";

    private static readonly ConfigDefinition[] Definitions =
    [
        new("cleanup.policy", ConfigType.List, "delete", "log.cleanup.policy") { Allowed = ["compact", "delete"] },
        new("compression.gzip.level", ConfigType.Int, "-1", "compression.gzip.level") { Min = -1, Max = 9 },
        new("compression.lz4.level", ConfigType.Int, "9", "compression.lz4.level") { Min = 1, Max = 17 },
        new("compression.type", ConfigType.String, "producer", "compression.type")
        {
            Allowed = ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
        },
        new("compression.zstd.level", ConfigType.Int, "3", "compression.zstd.level") { Min = -131072, Max = 22 },
        new("delete.retention.ms", ConfigType.Long, "86400000", "log.cleaner.delete.retention.ms") { Min = 0 },
        new("file.delete.delay.ms", ConfigType.Long, "60000", "log.segment.delete.delay.ms") { Min = 0 },
        new("flush.messages", ConfigType.Long, "9223372036854775807", "log.flush.interval.messages") { Min = 1 },
        new("flush.ms", ConfigType.Long, "9223372036854775807", "log.flush.interval.ms", "log.flush.scheduler.interval.ms") { Min = 0 },
        new(ThrottledFollowers, ConfigType.List, ""),
        new("index.interval.bytes", ConfigType.Int, "4096", "log.index.interval.bytes") { Min = 0 },
        new(ThrottledReplicas, ConfigType.List, ""),
        new("local.retention.bytes", ConfigType.Long, "-2", "log.local.retention.bytes") { Min = -2 },
        new("local.retention.ms", ConfigType.Long, "-2", "log.local.retention.ms") { Min = -2 },
        new("max.compaction.lag.ms", ConfigType.Long, "9223372036854775807", "log.cleaner.max.compaction.lag.ms") { Min = 1 },
        new("max.message.bytes", ConfigType.Int, "1048588", "message.max.bytes") { Min = 0 },
        new("message.timestamp.after.max.ms", ConfigType.Long, "3600000", "log.message.timestamp.after.max.ms") { Min = 0 },
        new("message.timestamp.before.max.ms", ConfigType.Long, "9223372036854775807", "log.message.timestamp.before.max.ms") { Min = 0 },
        new("message.timestamp.type", ConfigType.String, "CreateTime", "log.message.timestamp.type")
        {
            Allowed = ["CreateTime", "LogAppendTime"],
        },
        new("min.cleanable.dirty.ratio", ConfigType.Double, "0.5", "log.cleaner.min.cleanable.ratio") { Min = 0, Max = 1 },
        new("min.compaction.lag.ms", ConfigType.Long, "0", "log.cleaner.min.compaction.lag.ms") { Min = 0 },
        new("min.insync.replicas", ConfigType.Int, "1", "min.insync.replicas") { Min = 1 },
        new("preallocate", ConfigType.Boolean, "false", "log.preallocate"),
        new("remote.copy.lag.bytes", ConfigType.Long, "0") { Min = -1 },
        new("remote.copy.lag.ms", ConfigType.Long, "0") { Min = -1 },
        new("remote.log.copy.disable", ConfigType.Boolean, "false"),
        new("remote.log.delete.on.disable", ConfigType.Boolean, "false"),
        new("remote.storage.enable", ConfigType.Boolean, "false"),
        new("retention.bytes", ConfigType.Long, "-1", "log.retention.bytes"),
        new("retention.ms", ConfigType.Long, "604800000", "log.retention.ms", "log.retention.minutes", "log.retention.hours") { Min = -1 },
        new("segment.bytes", ConfigType.Int, "1073741824", "log.segment.bytes") { Min = 1024 * 1024 },
        new("segment.index.bytes", ConfigType.Int, "10485760", "log.index.size.max.bytes") { Min = 4 },
        new("segment.jitter.ms", ConfigType.Long, "0", "log.roll.jitter.ms", "log.roll.jitter.hours") { Min = 0 },
        new("segment.ms", ConfigType.Long, "604800000", "log.roll.ms", "log.roll.hours") { Min = 1 },
        new("unclean.leader.election.enable", ConfigType.Boolean, "false", "unclean.leader.election.enable"),
    ];

    // As in Kafka, for tests: goes before segment.bytes, may be smaller, and learns of topics that have it only.
    private static readonly ConfigDefinition SmallSegments = new("internal.segment.bytes", ConfigType.Int, "") { Min = 1 };

    private static readonly Dictionary<string, ConfigDefinition> ByName = Definitions.Append(SmallSegments).ToDictionary(d => d.Name);

    private readonly IReadOnlyDictionary<string, string>? _defaults;

    public LogConfig(IReadOnlyDictionary<string, string> values, IReadOnlyDictionary<string, string>? defaults = null)
    {
        (Values, _defaults) = (values, defaults);
        string[] policies = ConfigDefinition.Items(Text("cleanup.policy"));
        Deletes = policies.Contains("delete");
        Compacts = policies.Contains("compact");
        RetentionMs = Number("retention.ms");
        RetentionBytes = Number("retention.bytes");
        SegmentBytes = Number(values.ContainsKey(SmallSegments.Name) ? SmallSegments.Name : "segment.bytes");
        SegmentMs = Number("segment.ms");
        SegmentJitterMs = Number("segment.jitter.ms");
        IndexBytes = Number("segment.index.bytes");
        MaxMessageBytes = Number("max.message.bytes");
        IndexIntervalBytes = Number("index.interval.bytes");
        MinCompactionLagMs = Number("min.compaction.lag.ms");
        MaxCompactionLagMs = Number("max.compaction.lag.ms");
        DeleteRetentionMs = Number("delete.retention.ms");
        FileDeleteDelayMs = Number("file.delete.delay.ms");
        MinCleanableDirtyRatio = double.Parse(Text("min.cleanable.dirty.ratio"), CultureInfo.InvariantCulture);
        FlushMessages = Number("flush.messages");
        FlushMs = Number("flush.ms");
        MinInSyncReplicas = (int)Number("min.insync.replicas");
        StampsAppendTime = Text("message.timestamp.type").Trim() == "LogAppendTime";
        MessageTimestampBeforeMaxMs = Number("message.timestamp.before.max.ms");
        MessageTimestampAfterMaxMs = Number("message.timestamp.after.max.ms");
        TargetCodec = Text("compression.type").Trim() switch
        {
            "uncompressed" => RecordCompression.None,
            "gzip" => RecordCompression.Gzip,
            "snappy" => RecordCompression.Snappy,
            "lz4" => RecordCompression.Lz4,
            "zstd" => RecordCompression.Zstd,
            _ => null,
        };
    }

    /// <summary>The configs that topics have.</summary>
    public static IReadOnlyList<ConfigDefinition> All => Definitions;

    /// <summary>The configs that this topic has.</summary>
    public IEnumerable<ConfigDefinition> Told => Values.ContainsKey(SmallSegments.Name) ? Definitions.Append(SmallSegments) : Definitions;

    /// <summary>What was set, without defaults.</summary>
    public IReadOnlyDictionary<string, string> Values { get; }

    public bool Deletes { get; }

    public bool Compacts { get; }

    public long RetentionMs { get; }

    public long RetentionBytes { get; }

    public long SegmentBytes { get; }

    public long SegmentMs { get; }

    public long SegmentJitterMs { get; }

    /// <summary>The largest size of an index.</summary>
    public long IndexBytes { get; }

    /// <summary>After how long a segment rolls; a compaction must not wait longer for it than its own limit.</summary>
    public long RollMs => Compacts ? Math.Min(SegmentMs, MaxCompactionLagMs) : SegmentMs;

    public long MaxMessageBytes { get; }

    public long IndexIntervalBytes { get; }

    public long MinCompactionLagMs { get; }

    public long MaxCompactionLagMs { get; }

    public long DeleteRetentionMs { get; }

    public long FileDeleteDelayMs { get; }

    public double MinCleanableDirtyRatio { get; }

    public long FlushMessages { get; }

    public long FlushMs { get; }

    public int MinInSyncReplicas { get; }

    public bool StampsAppendTime { get; }

    public long MessageTimestampBeforeMaxMs { get; }

    public long MessageTimestampAfterMaxMs { get; }

    /// <summary>The codec that all batches get; null: the producer's.</summary>
    public int? TargetCodec { get; }

    /// <summary>The definition of a config; null when Kafka has none of that name.</summary>
    public static ConfigDefinition? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>
    /// Why the configs cannot be taken, in Kafka's words; null when they can. All that are set are given, and the broker's defaults: some
    /// exclude each other.
    /// </summary>
    public static string? Check(IEnumerable<KeyValuePair<string, string?>> values, IReadOnlyDictionary<string, string> defaults)
    {
        KeyValuePair<string, string?>[] all = [.. values];
        string[] nulls = [.. all.Where(v => v.Value is null).Select(v => v.Key)];
        if (nulls.Length > 0)
            return $"Null value not supported for topic configs: {string.Join(",", nulls)}";
        foreach ((string name, _) in all)
        {
            if (!ByName.ContainsKey(name))
                return $"Unknown topic config name: {name}";
        }

        foreach ((string name, string? value) in all)
        {
            if (ByName[name].Check(value!) is { } wrong)
                return wrong;
            if (name is ThrottledReplicas or ThrottledFollowers && !IsReplicaList(value!))
                return ByName[name].Invalid(value!,
                    "Must be the literal '*' or a list of replicas in the following format: "
                        + "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
            if (name == "compression.gzip.level" && value!.Trim() == "0")
                return ByName[name].Invalid(value, "Value must be between 1 and 9 or equal to -1");
        }

        var config = new LogConfig(all.ToDictionary(v => v.Key, v => v.Value!), defaults);
        if (config.MinCompactionLagMs > config.MaxCompactionLagMs)
            return string.Create(CultureInfo.InvariantCulture,
                $"conflict topic config setting min.compaction.lag.ms ({config.MinCompactionLagMs}) > max.compaction.lag.ms "
                    + $"({config.MaxCompactionLagMs})");
        return config.Text("remote.storage.enable").Trim().Equals("true", StringComparison.OrdinalIgnoreCase)
            ? "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."
            : null;
    }

    public string Text(string name) => Values.TryGetValue(name, out string? value) || (_defaults?.TryGetValue(name, out value) ?? false)
        ? value!
        : ByName[name].Default;

    public int CompressionLevel(int codec) => codec switch
    {
        RecordCompression.Gzip => (int)Number("compression.gzip.level"),
        RecordCompression.Lz4 => (int)Number("compression.lz4.level"),
        RecordCompression.Zstd => (int)Number("compression.zstd.level"),
        _ => 0,
    };

    private static bool IsReplicaList(string value) =>
        value.Trim() is "" or "*" || ConfigDefinition.Items(value).All(item => ReplicaPattern().IsMatch(item));

    [GeneratedRegex("^[0-9]+:[0-9]+$")]
    private static partial Regex ReplicaPattern();

    private long Number(string name) => long.Parse(Text(name), NumberStyles.Number, CultureInfo.InvariantCulture);
}
