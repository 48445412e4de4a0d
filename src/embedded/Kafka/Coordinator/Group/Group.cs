using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>A group, of either protocol. Used under the coordinator's lock.</summary>
internal abstract class Group(string id)
{
    public string Id => id;

    /// <summary>As ListGroups names it: classic or consumer.</summary>
    public abstract string Type { get; }

    public abstract string ProtocolType { get; }

    public abstract string StateName { get; }

    /// <summary>Whether it has no members.</summary>
    public abstract bool IsEmpty { get; }

    /// <summary>When it lost its last member, or was made; from then on its offsets age.</summary>
    public long StateTimestamp { get; set; }

    /// <summary>Whether nobody is about to join, so that the group may go when it has no members and no offsets.</summary>
    public abstract bool CanBeForgotten { get; }

    /// <summary>The topics that members subscribe to; null when they are not consumers, or say what cannot be read.</summary>
    public abstract IReadOnlySet<string>? SubscribedTopics();

    /// <summary>Whether a member, or whoever assigns partitions by itself, may commit offsets.</summary>
    public abstract ErrorCode ValidateOffsetCommit(
        string memberId, string? instanceId, int generation, bool isTransactional, short version);

    /// <summary>Whether a member may read offsets.</summary>
    public abstract ErrorCode ValidateOffsetFetch(string? memberId, int memberEpoch);

    /// <summary>The records that delete the group.</summary>
    public abstract IEnumerable<CoordinatorRecord> Tombstones();
}
