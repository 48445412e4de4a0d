using System.Collections.Immutable;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>What a group knew of a topic when it was last assigned.</summary>
internal readonly record struct SubscribedTopic(string Name, Guid Id, int Partitions);

/// <summary>A group of the consumer protocol (KIP-848): the broker assigns, members follow heartbeat by heartbeat.</summary>
internal sealed class ConsumerGroup(string id) : Group(id)
{
    public override string Type => "consumer";

    public override string ProtocolType => ConsumerProtocol.Type;

    public override bool IsEmpty => Members.Count == 0;

    /// <summary>Counts changes of members, subscriptions and topics.</summary>
    public int Epoch { get; set; }

    /// <summary>The group epoch that the target assignment was made for.</summary>
    public int TargetEpoch { get; set; }

    public Dictionary<string, ConsumerGroupMember> Members { get; } = [];

    public Dictionary<string, ImmutableHashSet<AssignedPartition>> Target { get; } = [];

    /// <summary>Subscribed topics by name.</summary>
    public Dictionary<string, SubscribedTopic> Topics { get; set; } = [];

    /// <summary>The topics that regular expressions of members match.</summary>
    public Dictionary<string, IReadOnlyList<string>> Regexes { get; } = [];

    /// <summary>The version of the broker's topics that <see cref="Topics"/> and <see cref="Regexes"/> were made from; not kept.</summary>
    public long TopicsVersion { get; set; } = -1;

    /// <summary>Whether members have changed and no epoch is begun for it yet; not kept.</summary>
    public bool LacksEpoch { get; set; }

    public override string StateName =>
        Members.Count == 0 ? "Empty"
        : Epoch > TargetEpoch ? "Assigning"
        : Members.Values.Any(m => m.Epoch != TargetEpoch || m.State != MemberState.Stable) ? "Reconciling"
        : "Stable";

    public ConsumerGroupMember? Static(string instanceId) => Members.Values.FirstOrDefault(m => m.InstanceId == instanceId);

    public IEnumerable<string> TopicsOf(ConsumerGroupMember member) =>
        member.TopicRegex is { Length: > 0 } regex ? member.Topics.Union(Regexes.GetValueOrDefault(regex) ?? []) : member.Topics;

    public HashSet<string> SubscribedTopics() => [.. Members.Values.SelectMany(TopicsOf)];

    public ImmutableHashSet<AssignedPartition> TargetOf(string memberId) => Target.GetValueOrDefault(memberId) ?? [];

    /// <summary>The assignor that most members ask for.</summary>
    public string PreferredAssignor() =>
        Members.Values.Where(m => m.Assignor is { Length: > 0 }).GroupBy(m => m.Assignor!).OrderByDescending(g => g.Count()).ThenBy(g => g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key ?? UniformAssignor.Name;

    /// <summary>Whether one of the protocols is common to all members of the classic protocol.</summary>
    public bool SupportsClassicProtocols(IEnumerable<string> protocols) =>
        protocols.Any(name => Members.Values.All(m => m.Classic is not { } classic || classic.SupportedProtocols.Any(p => p.Name == name)));

    /// <summary>Whether somebody else still has a partition that the member waits for.</summary>
    public bool WaitsForOthers(ConsumerGroupMember member) => TargetOf(member.Id).Except(member.Assigned).Any(p => IsHeldByAnother(member.Id, p));

    /// <summary>Whether somebody else still has the partition.</summary>
    public bool IsHeldByAnother(string memberId, AssignedPartition partition)
    {
        foreach (ConsumerGroupMember other in Members.Values)
        {
            if (other.Id != memberId && (other.Assigned.Contains(partition) || other.PendingRevocation.Contains(partition)))
                return true;
        }

        return false;
    }
}
