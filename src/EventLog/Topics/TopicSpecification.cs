using System.Globalization;

namespace KafkaEventSourcing.EventLog;

/// <summary>One topic as it shall be.</summary>
public sealed record TopicSpecification
{
    /// <summary>The topic's name.</summary>
    public required string Name { get; init; }

    /// <summary>How many partitions; of a keyed topic for ever.</summary>
    public required int Partitions { get; init; }

    /// <summary>
    /// How many replicas; -1, the default: 3, or as many as there are brokers, and the broker's own default where it is larger or where
    /// there is one broker.
    /// </summary>
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>Topic configs, by Kafka's names.</summary>
    public IReadOnlyDictionary<string, string> Configs { get; init; } = new Dictionary<string, string>();

    // With the number of replicas that it gets where nothing is said, and with as many of them in sync as keep what is acknowledged.
    internal TopicSpecification WithReplicas(int brokers, ReplicationDefaults defaults)
    {
        if (ReplicationFactor != TopicReplication.Unsaid)
            return this;
        (short factor, int? inSync) = TopicReplication.Choose(ReplicationFactor, brokers, defaults);
        return this with { ReplicationFactor = factor, Configs = WithInSync(Configs, inSync) };
    }

    internal static IReadOnlyDictionary<string, string> WithInSync(IReadOnlyDictionary<string, string> configs, int? inSync) =>
        inSync is not { } number || configs.ContainsKey(TopicReplication.MinInSync)
        ? configs
        : configs.Append(new(TopicReplication.MinInSync, number.ToString(CultureInfo.InvariantCulture))).ToDictionary();
}
