using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The states of a group, by Kafka's names.</summary>
internal enum GroupState
{
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
    Dead,
}

/// <summary>A committed offset.</summary>
internal readonly record struct CommittedOffset(long Offset, int LeaderEpoch, string? Metadata);

/// <summary>One consumer group of the classic protocol. All members are used under the group's own lock.</summary>
internal sealed class Group(string id)
{
    public string Id => id;

    public Lock Lock { get; } = new();

    public GroupState State { get; set; } = GroupState.Empty;

    public int Generation { get; set; }

    public string? ProtocolType { get; set; }

    public string? Protocol { get; set; }

    public string? Leader { get; set; }

    public DateTimeOffset RebalanceDeadline { get; set; }

    public Dictionary<string, GroupMember> Members { get; } = [];

    /// <summary>Ids that were given out and have not joined yet, and until when they may.</summary>
    public Dictionary<string, DateTimeOffset> Pending { get; } = [];

    public Dictionary<TopicPartition, CommittedOffset> Offsets { get; } = [];

    /// <summary>Offsets of open transactions, by producer id.</summary>
    public Dictionary<long, Dictionary<TopicPartition, CommittedOffset>> TransactionalOffsets { get; } = [];

    public GroupMember? Static(string instanceId) => Members.Values.FirstOrDefault(m => m.InstanceId == instanceId);

    /// <summary>The protocol that every member supports and most prefer.</summary>
    public string? SelectProtocol()
    {
        GroupMember[] members = [.. Members.Values];
        return members.SelectMany(m => m.Protocols.Select(p => p.Name)).Distinct()
            .Where(name => members.All(m => m.Protocols.Any(p => p.Name == name)))
            .OrderByDescending(name => members.Count(m => m.Protocols[0].Name == name)).FirstOrDefault();
    }

    public bool Supports(IEnumerable<string> protocols) =>
        Members.Count == 0 || protocols.Any(p => Members.Values.All(m => m.Protocols.Any(o => o.Name == p)));
}
