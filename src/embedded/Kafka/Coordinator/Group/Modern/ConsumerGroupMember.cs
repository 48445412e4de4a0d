using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The states of a member of the consumer protocol; the numbers are those of its record.</summary>
internal enum MemberState : sbyte
{
    Stable = 1,
    UnrevokedPartitions = 2,
    UnreleasedPartitions = 3,
}

/// <summary>One partition, by the id of its topic.</summary>
internal readonly record struct AssignedPartition(Guid TopicId, int Partition);

/// <summary>
/// One member of a group of the consumer protocol (KIP-848). Immutable: a change is written first, then it replaces this.
/// </summary>
internal sealed record ConsumerGroupMember(string Id)
{
    /// <summary>The epoch of a static member that left for a while.</summary>
    public const int LeftForNow = -2;

    public const int Left = -1;

    public int Epoch { get; init; }

    public int PreviousEpoch { get; init; } = -1;

    public MemberState State { get; init; } = MemberState.Stable;

    public string? InstanceId { get; init; }

    public string? RackId { get; init; }

    public string ClientId { get; init; } = "";

    public string ClientHost { get; init; } = "";

    public int RebalanceTimeoutMs { get; init; } = -1;

    public ImmutableSortedSet<string> Topics { get; init; } = ImmutableSortedSet.Create<string>(StringComparer.Ordinal);

    public string? TopicRegex { get; init; }

    public string? Assignor { get; init; }

    /// <summary>Of a member of the classic protocol, what it joined with; null of one of the consumer protocol.</summary>
    public ClassicMemberMetadata? Classic { get; init; }

    public ImmutableHashSet<AssignedPartition> Assigned { get; init; } = [];

    public ImmutableHashSet<AssignedPartition> PendingRevocation { get; init; } = [];

    public bool HasSameAssignment(ConsumerGroupMember other) =>
        Epoch == other.Epoch
            && State == other.State
            && Assigned.SetEquals(other.Assigned)
            && PendingRevocation.SetEquals(other.PendingRevocation);

    /// <summary>Whether it knows the epoch that it is at; of a member of the classic protocol that is its generation.</summary>
    public ErrorCode ValidateEpoch(int epoch, bool isTransactional) =>
        Epoch == epoch ? ErrorCode.None : isTransactional || Classic is not null ? ErrorCode.IllegalGeneration : ErrorCode.StaleMemberEpoch;

    public bool HasSameSubscription(ConsumerGroupMember other) =>
        Topics.SetEquals(other.Topics) && (TopicRegex ?? "") == (other.TopicRegex ?? "") && Assignor == other.Assignor;

    public bool HasSameMetadata(ConsumerGroupMember other) =>
        HasSameSubscription(other)
            && InstanceId == other.InstanceId
            && RackId == other.RackId
            && RebalanceTimeoutMs == other.RebalanceTimeoutMs
        && ClientId == other.ClientId && ClientHost == other.ClientHost && Equals(Classic, other.Classic);
}
