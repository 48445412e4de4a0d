using System.Globalization;

namespace KafkaEventSourcing.EventLog;

/// <summary>What the topics of one aggregate type must be, so that nothing of the truth is lost, and what they should be. Pure.</summary>
internal sealed class TopicRules
{
    public const string Partitions = "partitions";
    public const string Replicas = "replicas";
    public const string CleanupPolicy = "cleanup.policy";
    public const string RetentionMs = "retention.ms";
    public const string RetentionBytes = "retention.bytes";
    public const string MaxMessageBytes = "max.message.bytes";
    public const string OffsetsRetentionMinutes = "offsets.retention.minutes";

    private const string UncleanElection = "unclean.leader.election.enable";
    private const string Compact = "compact";
    private const string Delete = "delete";
    private const long Unlimited = -1;
    private const long LargestBatch = 1_000_000; // what a producer of librdkafka makes at most, unless it is told otherwise

    private readonly TopicFamily _family;
    private readonly bool _isProcess;
    private readonly Dictionary<string, TopicSpecification> _declared;

    /// <summary>The rules of <paramref name="family"/>; a process has timers besides.</summary>
    public TopicRules(TopicFamily family, bool isProcess)
    {
        (_family, _isProcess) = (family, isProcess);
        _declared = TopicDeclaration.For(family, 1, TopicReplication.Unsaid, isProcess).Topics.ToDictionary(t => t.Name);
    }

    /// <summary>What is not as it must or should be, the worst first.</summary>
    /// <param name="state">The topics as they are.</param>
    /// <param name="started">How many partitions the command topic had when the node started; null: it starts now.</param>
    public IReadOnlyList<TopicFinding> Check(TopicFamilyState state, int? started)
    {
        ArgumentNullException.ThrowIfNull(state);
        var findings = new List<TopicFinding>();
        findings.AddRange(Counts(state, started));
        foreach (TopicState topic in state.Topics.Where(t => t.Partitions > 0))
        {
            findings.AddRange(Retention(topic));
            findings.AddRange(Sizes(topic));
            findings.AddRange(Durability(topic, state.Brokers));
        }

        findings.AddRange(Offsets(state));
        return [.. findings.OrderByDescending(f => f.Risk)];
    }

    // A key's partition is computed from the number of partitions: all topics of the family must have the same, and keep it.
    private IEnumerable<TopicFinding> Counts(TopicFamilyState state, int? started)
    {
        foreach (TopicState gone in state.Topics.Where(t => t.Partitions == 0))
            yield return new(gone.Name, Partitions, "0", "more", TopicRisk.Unusable, $"The cluster says: {gone.Error}");
        TopicState[] keyed = [.. _family.Keyed(_isProcess).Select(name => state.Topics.FirstOrDefault(t => t.Name == name))
            .OfType<TopicState>().Where(t => t.Partitions > 0)];
        if (keyed.Length == 0)
            yield break;
        int count = started ?? keyed[0].Partitions;
        foreach (TopicState other in keyed.Where(t => t.Partitions != count))
        {
            yield return started is { } was
                ? new(other.Name, Partitions, Text(other.Partitions), Text(was), TopicRisk.Unusable, other.Partitions > was
                    ? $"It has got more since this node started: keys have moved, and nobody reads the partitions {was} "
                        + $"to {other.Partitions - 1}. Make a topic with {was} partitions, and copy what is in it."
                    : "It has been made again with fewer since this node started.")
                : new(other.Name, Partitions, Text(other.Partitions), $"{count}, as of {keyed[0].Name}", TopicRisk.Unusable,
                    "A key lies on one partition number in all topics of its family; with other counts commands, events and state of a "
                        + "key part.");
        }
    }

    private IEnumerable<TopicFinding> Retention(TopicState topic)
    {
        if (!topic.Configs.TryGetValue(CleanupPolicy, out string? policy))
            yield break; // the cluster does not tell
        string[] policies = [.. ConfigValues.Items(policy)];
        bool shouldCompact = _declared[topic.Name].Configs.GetValueOrDefault(CleanupPolicy) == Compact;
        if (policies.Contains(Compact) && !shouldCompact)
            yield return new(topic.Name, CleanupPolicy, policy, Delete, TopicRisk.LosesData, "Of each key the last record alone is kept.");
        if (!policies.Contains(Compact) && shouldCompact)
            yield return new(topic.Name, CleanupPolicy, policy.Length == 0 ? "empty" : policy, Compact, TopicRisk.Weaker,
                "It grows without end.");
        if (!policies.Contains(Delete))
            yield break;
        long wanted = shouldCompact ? Unlimited : Number(_declared[topic.Name].Configs, RetentionMs) ?? Unlimited;
        TopicRisk risk = wanted == Unlimited ? TopicRisk.LosesData : TopicRisk.Weaker;
        if (Number(topic.Configs, RetentionMs) is { } ms && ms != Unlimited && (wanted == Unlimited || ms < wanted))
        {
            yield return shouldCompact
                ? new(topic.Name, CleanupPolicy, policy, Compact, risk,
                    $"With {RetentionMs}={ms} what is older than {Duration(ms)} is deleted.")
                : new(topic.Name, RetentionMs, Text(ms), wanted == Unlimited ? "-1" : $"at least {wanted}", risk,
                    $"What is older than {Duration(ms)} is "
                        + $"deleted{(risk == TopicRisk.Weaker ? ", whether somebody has read it or not" : "")}.");
        }

        if (Number(topic.Configs, RetentionBytes) is { } bytes && bytes != Unlimited)
            yield return new(topic.Name, RetentionBytes, Text(bytes), "-1", risk,
                "The oldest records of a partition are deleted when it has more.");
    }

    private IEnumerable<TopicFinding> Sizes(TopicState topic)
    {
        long wanted = Number(_declared[topic.Name].Configs, MaxMessageBytes) ?? LargestBatch;
        if (Number(topic.Configs, MaxMessageBytes) is { } bytes && bytes < wanted)
            yield return new(topic.Name, MaxMessageBytes, Text(bytes), $"at least {wanted}", TopicRisk.LosesData,
                "What the engine writes may be larger, and would be refused.");
    }

    private static IEnumerable<TopicFinding> Durability(TopicState topic, int brokers)
    {
        if (topic.Replicas == 1 && brokers > 1)
            yield return new(topic.Name, Replicas, "1", "3", TopicRisk.Weaker,
                $"The cluster has {brokers} brokers; with the one that has it a partition is gone. kafka-reassign-partitions gives it "
                    + $"more.");
        if (Number(topic.Configs, TopicReplication.MinInSync) is not { } inSync)
            yield break;
        if (topic.Replicas > 1 && inSync < 2)
            yield return new(topic.Name, TopicReplication.MinInSync, Text(inSync), "2", TopicRisk.Weaker,
                $"What one of its {topic.Replicas} replicas has alone is acknowledged, and gone with it.");
        if (inSync > topic.Replicas)
            yield return new(topic.Name, TopicReplication.MinInSync, Text(inSync), $"at most {topic.Replicas}", TopicRisk.Weaker,
                $"It has {topic.Replicas} replicas: a cluster that counts them refuses each write.");
        if (topic.Replicas > 1
            && topic.Configs.TryGetValue(UncleanElection, out string? unclean)
            && ConfigValues.AreSame(UncleanElection, unclean, "true"))
            yield return new(topic.Name, UncleanElection, unclean, "false", TopicRisk.Weaker,
                "A replica that is behind may become the leader, and what it does not have is gone.");
    }

    // A command that was decided is known by the group's offset; one that is kept longer than the offset may be read again.
    private IEnumerable<TopicFinding> Offsets(TopicFamilyState state)
    {
        if (state.OffsetsRetention is not { } kept
            || state.Topics.FirstOrDefault(t => t.Name == _family.Commands) is not { } commands
            || Number(commands.Configs, RetentionMs) is not { } ms)
            yield break;
        if (ms == Unlimited || TimeSpan.FromMilliseconds(Math.Min(ms, TimeSpan.MaxValue.TotalMilliseconds / 2)) > kept)
        {
            yield return new(_family.Commands, OffsetsRetentionMinutes, Text((long)kept.TotalMinutes),
                "at least as long as the commands are kept", TopicRisk.Weaker,
                $"Commands are kept for {(ms == Unlimited ? "ever" : Duration(ms))}, and how far they were read is "
                    + $"forgotten {Duration((long)kept.TotalMilliseconds)} after the last node has left.");
        }
    }

    private static long? Number(IReadOnlyDictionary<string, string> configs, string name) =>
        configs.TryGetValue(name, out string? text)
            && long.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
                CultureInfo.InvariantCulture, out long number) ? number : null;

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Duration(long ms)
    {
        var time = TimeSpan.FromMilliseconds(Math.Min(ms, TimeSpan.MaxValue.TotalMilliseconds / 2));
        return time.TotalDays >= 1 ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalDays:0.#} days")
            : time.TotalHours >= 1 ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.#} h")
            : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###} s");
    }
}
