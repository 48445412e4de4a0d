using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>How members leave a consumer group, and the deadlines by which they are put out of it.</summary>
internal sealed partial class GroupCoordinator
{
    private ConsumerGroupHeartbeatResponse LeaveConsumerGroup(ConsumerGroupHeartbeatRequest request)
    {
        if (_groups.GetValueOrDefault(request.GroupId) is not ConsumerGroup group)
            return Refuse(request, ErrorCode.GroupIdNotFound, $"Consumer group {request.GroupId} not found.");
        ConsumerGroupMember? member = request.InstanceId is { } instance ? group.Static(instance) : group.Members.GetValueOrDefault(request.MemberId);
        if (member is null)
            return Refuse(request, ErrorCode.UnknownMemberId, $"Member {request.MemberId} is not a member of group {group.Id}.");
        if (member.Id != request.MemberId)
            return Refuse(request, ErrorCode.FencedInstanceId, $"Static member {request.MemberId} was fenced by member {member.Id}.");
        if (request.MemberEpoch == ConsumerGroupMember.LeftForNow)
            Commit([AssignmentRecord(group.Id, member with { Epoch = ConsumerGroupMember.LeftForNow, PendingRevocation = [] })]);
        else
            Fence(group, member);
        return new ConsumerGroupHeartbeatResponse { MemberId = request.MemberId, MemberEpoch = request.MemberEpoch };
    }

    // Members are out together; the others get their partitions with their next heartbeats.
    private void Fence(ConsumerGroup group, params ConsumerGroupMember[] members)
    {
        if (members.Length == 0)
            return;
        if (IsDowngrade(group, members))
        {
            Downgrade(group, members, rebalance: true);
            return;
        }

        // What an expression matched goes with the last who subscribed to it.
        IEnumerable<CoordinatorRecord> regexes = group.Regexes.Keys.Where(r => !group.Members.Values.Except(members).Any(m => m.TopicRegex == r)).Select(r => RegexTombstone(group.Id, r));
        Commit([.. members.SelectMany(m => MemberTombstones(group.Id, m.Id)), .. regexes, EpochRecord(group.Id, group.Epoch + 1)]);
        foreach (ConsumerGroupMember member in members)
            CancelTimers(group.Id, member.Id);
        group.StateTimestamp = Now();
    }

    private void Touch(ConsumerGroup group, ConsumerGroupMember member)
    {
        string id = member.Id;
        TimeSpan session = member.Classic is { } classic ? TimeSpan.FromMilliseconds(classic.SessionTimeoutMs) : _broker.GroupConfigs.SessionTimeoutOf(group.Id);
        _timer.Schedule(TimerKey("session", group.Id, id), session, () => Expire(group.Id, id));
    }

    private void TouchAll(ConsumerGroup group)
    {
        foreach (ConsumerGroupMember member in group.Members.Values)
            Touch(group, member);
    }

    // Members of the classic protocol are watched by their joins and syncs instead.
    private void WatchRevocation(ConsumerGroup group, ConsumerGroupMember member)
    {
        string key = TimerKey("revocation", group.Id, member.Id);
        if (member.State != MemberState.UnrevokedPartitions || member.Classic is not null)
            _timer.Cancel(key);
        else if (!_timer.IsScheduled(key))
            _timer.Schedule(key, TimeSpan.FromMilliseconds(Math.Max(0, member.RebalanceTimeoutMs)), () => Expire(group.Id, member.Id));
    }

    private void CancelTimers(string groupId, string memberId)
    {
        _timer.Cancel(TimerKey("session", groupId, memberId));
        _timer.Cancel(TimerKey("revocation", groupId, memberId));
        CancelClassicTimers(groupId, memberId);
    }

    private void Expire(string groupId, string memberId)
    {
        if (_groups.GetValueOrDefault(groupId) is ConsumerGroup group && group.Members.TryGetValue(memberId, out ConsumerGroupMember? member))
            Fence(group, member);
    }
}
