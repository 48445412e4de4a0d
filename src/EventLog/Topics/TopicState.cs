namespace KafkaEventSourcing.EventLog;

/// <summary>
/// A topic as a cluster has it. <paramref name="Partitions"/> of 0: it is not there, or cannot be read. <paramref name="Replicas"/> is the
/// number of the partition with the fewest.
/// </summary>
internal sealed record TopicState(string Name, int Partitions, int Replicas, IReadOnlyDictionary<string, string> Configs)
{
    /// <summary>Why it is not there, in Kafka's words.</summary>
    public string? Error { get; init; }
}

/// <summary>
/// The topics of one aggregate type as a cluster has them. <paramref name="OffsetsRetention"/> is how long the cluster keeps a group's
/// offsets; null: it does not say.
/// </summary>
internal sealed record TopicFamilyState(IReadOnlyList<TopicState> Topics, int Brokers, TimeSpan? OffsetsRetention);
