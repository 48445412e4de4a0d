namespace KafkaEventSourcing.EventLog;

/// <summary>What has to change so that a cluster has the topics that were declared.</summary>
/// <param name="Missing">Topics to create.</param>
/// <param name="Drifted">Configs to set: topic, name, present value (null: not readable), declared value.</param>
/// <param name="Refused">Differences that cannot be mended without damage, in words: a keyed topic's partition count decides where its keys
/// live.</param>
public sealed record TopicPlan(
    IReadOnlyList<TopicSpecification> Missing,
    IReadOnlyList<(string Topic, string Config, string? Present, string Declared)> Drifted,
    IReadOnlyList<string> Refused)
{
    /// <summary>
    /// Topics that have another number of replicas than declared: topic, present number (of the partition with the fewest), declared
    /// number. Applying a plan leaves them: data moves between brokers by a reassignment.
    /// </summary>
    public IReadOnlyList<(string Topic, int Present, int Declared)> Replicas { get; init; } = [];

    /// <summary>Whether the cluster is as declared.</summary>
    public bool IsEmpty => Missing.Count == 0 && Drifted.Count == 0 && Refused.Count == 0 && Replicas.Count == 0;

    /// <summary>The part of the plan that creates topics; what an operator has set on present ones stays.</summary>
    public TopicPlan OnlyMissingTopics() => new(Missing, [], []);
}
