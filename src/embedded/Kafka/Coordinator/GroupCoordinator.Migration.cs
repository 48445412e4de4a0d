using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>How a group with members comes from the classic to the consumer protocol, and back (KIP-848, "Online Migration").</summary>
internal sealed partial class GroupCoordinator
{
    private static IEnumerable<CoordinatorRecord> CreationRecords(ConsumerGroup group) =>
    [
        .. group.Members.Values.Select(m => MemberRecord(group.Id, m)),
        EpochRecord(group.Id, group.Epoch),
        .. group.Target.Select(t => TargetRecord(group.Id, t.Key, t.Value)),
        TargetEpochRecord(group.Id, group.TargetEpoch),
        .. group.Members.Values.Select(m => AssignmentRecord(group.Id, m)),
    ];

    // What the classic group is as a consumer group: everybody keeps what the last generation gave it. Null, and why, when it cannot be one.
    private ConsumerGroup? Upgraded(ClassicGroup classic, out string obstacle)
    {
        obstacle = !_broker.Options.ConsumerGroupMigrationPolicy.HasFlag(ConsumerGroupMigrationPolicy.Upgrade) ? "online upgrade is disabled"
            : classic.AgreedType != ConsumerProtocol.Type ? "the group does not use the consumer embedded protocol"
            : classic.Members.Count > _broker.Options.GroupMaxSize ? "the group size exceeds the consumer group maximum size"
            : "";
        if (obstacle.Length > 0)
            return null;
        try
        {
            var group = new ConsumerGroup(classic.Id) { Epoch = classic.Generation, TargetEpoch = classic.Generation };
            foreach (ClassicMember member in classic.Members.Values)
            {
                ConsumerProtocolAssignment assignment = member.Assignment.Length == 0 ? new() : ConsumerProtocol.ReadAssignment(member.Assignment);
                if (assignment.UserData is { Length: > 0 })
                {
                    // It would be lost.
                    obstacle = "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade";
                    return null;
                }

                ImmutableHashSet<AssignedPartition> assigned = PartitionsOf(assignment.AssignedPartitions.Select(t => (t.Topic, t.Partitions)));
                group.Target[member.Id] = assigned;
                group.Members[member.Id] = Upgraded(classic, member) with { Assigned = assigned };
            }

            return group;
        }
        catch (MalformedRequestException)
        {
            obstacle = "the embedded consumer protocol is malformed";
            return null;
        }
    }

    private static ConsumerGroupMember Upgraded(ClassicGroup group, ClassicMember member)
    {
        ConsumerProtocolSubscription subscription = ConsumerProtocol.ReadSubscription(member.MetadataOf(group.Protocol ?? member.Protocols[0].Name));
        return new ConsumerGroupMember(member.Id)
        {
            Epoch = group.Generation,
            PreviousEpoch = group.Generation,
            InstanceId = member.InstanceId,
            RackId = subscription.RackId,
            ClientId = member.ClientId,
            ClientHost = member.ClientHost,
            RebalanceTimeoutMs = (int)member.RebalanceTimeout.TotalMilliseconds,
            Topics = ImmutableSortedSet.CreateRange(StringComparer.Ordinal, subscription.Topics),
            Classic = new ClassicMemberMetadata((int)member.SessionTimeout.TotalMilliseconds, member.Protocols),
        };
    }

    // The classic group is a consumer group now: who waits in it joins again, and its deadlines end.
    private void Retire(ClassicGroup group)
    {
        _timer.Cancel(TimerKey("join", group.Id));
        _timer.Cancel(TimerKey("sync", group.Id));
        foreach (string id in group.Members.Keys.Concat(group.Pending))
            _timer.Cancel(TimerKey("session", group.Id, id));
        foreach (ClassicMember member in group.Members.Values)
        {
            member.CompleteJoin(new JoinGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress, MemberId = member.Id, ProtocolName = "" });
            member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress });
        }
    }

    // Whether the group becomes a classic one when these members leave it.
    private bool IsDowngrade(ConsumerGroup group, ConsumerGroupMember[] leaving) =>
        group.Members.Count > leaving.Length && IsDowngrade(group, leaving, group.Members.Count - leaving.Length);

    private bool IsDowngrade(ConsumerGroup group, ConsumerGroupMember[] gone, int size) =>
        _broker.Options.ConsumerGroupMigrationPolicy.HasFlag(ConsumerGroupMigrationPolicy.Downgrade)
        && size <= _broker.Options.GroupMaxSize
        && group.Members.Values.All(m => m.Classic is not null || gone.Contains(m));

    // The epoch becomes the generation, and the target what everybody has; the rebalance settles the rest.
    private void Downgrade(ConsumerGroup group, ConsumerGroupMember[] leaving, bool rebalance)
    {
        var classic = new ClassicGroup(group.Id) { Generation = group.Epoch, AgreedType = ConsumerProtocol.Type };
        foreach (ConsumerGroupMember member in group.Members.Values.Where(m => !leaving.Contains(m)))
        {
            classic.Members[member.Id] = new ClassicMember
            {
                Id = member.Id,
                InstanceId = member.InstanceId,
                ClientId = member.ClientId,
                ClientHost = member.ClientHost,
                SessionTimeout = TimeSpan.FromMilliseconds(member.Classic!.SessionTimeoutMs),
                RebalanceTimeout = TimeSpan.FromMilliseconds(member.RebalanceTimeoutMs),
                Protocols = [.. member.Classic.SupportedProtocols],
            };
        }

        classic.Protocol = classic.SelectProtocol();
        foreach (ClassicMember member in classic.Members.Values)
            member.Assignment = ConsumerProtocol.Write(AssignmentOf(group.TargetOf(member.Id)), member.MetadataOf(classic.Protocol));
        classic.MoveTo(ClassicState.Stable, Now());
        string[] members = [.. group.Members.Keys];
        Commit([.. ConsumerTombstones(group), RecordOf(classic)]);
        foreach (string id in members)
            CancelTimers(group.Id, id);
        _groups[group.Id] = classic; // the record knows one protocol of each member, this one all
        foreach (ClassicMember member in classic.Members.Values)
            Touch(classic, member);
        if (rebalance)
            Rebalance(classic);
    }

    // Topics that are gone are left out.
    private ImmutableHashSet<AssignedPartition> PartitionsOf(IEnumerable<(string Topic, List<int> Partitions)> topics) =>
        [.. topics.SelectMany(t => _broker.Topics.Find(t.Topic) is { } topic ? t.Partitions.Select(p => new AssignedPartition(topic.Id, p)) : [])];

    private ConsumerProtocolAssignment AssignmentOf(IEnumerable<AssignedPartition> partitions) => new()
    {
        AssignedPartitions = [.. partitions.GroupBy(p => _broker.Topics.Find(p.TopicId)?.Name).Where(t => t.Key is not null).OrderBy(t => t.Key, StringComparer.Ordinal)
            .Select(t => new ConsumerProtocolAssignment.AssignedItem { Topic = t.Key!, Partitions = [.. t.Select(p => p.Partition).Order()] })],
    };
}
