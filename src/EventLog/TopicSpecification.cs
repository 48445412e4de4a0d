namespace KafkaEventSourcing.EventLog;

/// <summary>One topic as it shall be.</summary>
public sealed record TopicSpecification
{
    /// <summary>The topic's name.</summary>
    public required string Name { get; init; }

    /// <summary>How many partitions; of a keyed topic for ever.</summary>
    public required int Partitions { get; init; }

    /// <summary>How many replicas; -1: the broker's default.</summary>
    public short ReplicationFactor { get; init; } = -1;

    /// <summary>Topic configs, by Kafka's names.</summary>
    public IReadOnlyDictionary<string, string> Configs { get; init; } = new Dictionary<string, string>();
}
