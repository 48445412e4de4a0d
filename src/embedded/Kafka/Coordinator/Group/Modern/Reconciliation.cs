using System.Collections.Immutable;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// The next step of a member towards its target: first it gives up, then it advances to the target's epoch, then it gets what others have
/// released (KIP-848, "Reconciliation").
/// </summary>
internal static class Reconciliation
{
    /// <summary>The member after this heartbeat; <paramref name="owned"/> is what it says to have, null when it says nothing.</summary>
    public static ConsumerGroupMember Next(ConsumerGroup group, ConsumerGroupMember member, IReadOnlySet<AssignedPartition>? owned)
    {
        switch (member.State)
        {
            case MemberState.Stable when member.Epoch == group.TargetEpoch && member.Assigned.SetEquals(group.TargetOf(member.Id)):
                return member;
            case MemberState.UnrevokedPartitions when owned is null || member.PendingRevocation.Overlaps(owned):
                return member;
        }

        ImmutableHashSet<AssignedPartition> target = group.TargetOf(member.Id);
        ImmutableHashSet<AssignedPartition> kept = member.Assigned.Intersect(target);
        ImmutableHashSet<AssignedPartition> revoked = member.Assigned.Except(target);
        ImmutableHashSet<AssignedPartition> wanted = target.Except(kept);
        ImmutableHashSet<AssignedPartition> free = [.. wanted.Where(p => !group.IsHeldByAnother(member.Id, p))];
        if (revoked.Count > 0 && (owned is null || revoked.Overlaps(owned)))
            return member with { State = MemberState.UnrevokedPartitions, Assigned = kept, PendingRevocation = revoked };
        return member with
        {
            State = free.Count < wanted.Count ? MemberState.UnreleasedPartitions : MemberState.Stable,
            PreviousEpoch = member.Epoch == group.TargetEpoch ? member.PreviousEpoch : member.Epoch,
            Epoch = group.TargetEpoch,
            Assigned = kept.Union(free),
            PendingRevocation = [],
        };
    }
}
