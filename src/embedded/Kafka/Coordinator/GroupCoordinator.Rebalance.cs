using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>How a group of the classic protocol comes from one generation to the next, and who falls out of it.</summary>
internal sealed partial class GroupCoordinator
{
    // Starts a rebalance where none is under way; completes the one under way when everybody is there.
    private void Rebalance(ClassicGroup group)
    {
        if (group.State is ClassicState.PreparingRebalance)
        {
            CompleteJoinOrWait(group);
            return;
        }

        if (group.State is ClassicState.CompletingRebalance)
            PropagateAssignmentError(group, ErrorCode.RebalanceInProgress);
        _timer.Cancel(TimerKey("sync", group.Id));
        bool first = group.State == ClassicState.Empty;
        group.MoveTo(ClassicState.PreparingRebalance, Now());
        TimeSpan delay = _broker.Options.GroupInitialRebalanceDelay;
        if (!first || delay == TimeSpan.Zero)
        {
            CompleteJoinOrWait(group);
            return;
        }

        group.NewMemberAdded = false;
        TimeSpan left = group.RebalanceTimeout - delay;
        _timer.Schedule(TimerKey("join", group.Id), delay, () => CompleteFirstJoinOrWait(group, left));
    }

    private void CompleteFirstJoinOrWait(ClassicGroup group, TimeSpan left)
    {
        if (!group.NewMemberAdded || left <= TimeSpan.Zero)
        {
            CompleteJoin(group);
            return;
        }

        group.NewMemberAdded = false;
        TimeSpan delay = left < _broker.Options.GroupInitialRebalanceDelay ? left : _broker.Options.GroupInitialRebalanceDelay;
        _timer.Schedule(TimerKey("join", group.Id), delay, () => CompleteFirstJoinOrWait(group, left - delay));
    }

    private void CompleteJoinOrWait(ClassicGroup group)
    {
        bool waitsForMore = group.PreviousState == ClassicState.Empty && _broker.Options.GroupInitialRebalanceDelay > TimeSpan.Zero && group.Members.Count > 0;
        if (waitsForMore)
            return;
        if (group.HasAllJoined)
            CompleteJoin(group);
        else if (!_timer.IsScheduled(TimerKey("join", group.Id)))
            _timer.Schedule(TimerKey("join", group.Id), group.RebalanceTimeout, () => CompleteJoin(group));
    }

    private void CompleteJoin(ClassicGroup group)
    {
        if (group.State != ClassicState.PreparingRebalance)
            return;
        _timer.Cancel(TimerKey("join", group.Id));
        // Who has not come back by the deadline is out; static members stay until their session ends.
        foreach (ClassicMember late in group.Members.Values.Where(m => m.Joining is null && m.InstanceId is null).ToArray())
            Drop(group, late);
        if (group.Members.Count > 0 && group.Members.Values.All(m => m.Joining is null))
        {
            _timer.Schedule(TimerKey("join", group.Id), group.RebalanceTimeout, () => CompleteJoin(group));
            return;
        }

        group.Generation++;
        if (group.Members.Count == 0)
        {
            (group.Protocol, group.Leader) = (null, null);
            group.MoveTo(ClassicState.Empty, Now());
            try
            {
                Persist(group);
            }
            catch (KafkaStorageException)
            {
                // As in Kafka: after a restart the members would be waited for once more, no more than that.
            }

            return;
        }

        group.Protocol = group.SelectProtocol();
        if (group.Leader is null || group.Members.GetValueOrDefault(group.Leader)?.Joining is null)
            group.Leader = group.Members.Values.First(m => m.Joining is not null).Id;
        group.MoveTo(ClassicState.CompletingRebalance, Now());
        foreach (ClassicMember member in group.Members.Values)
        {
            member.CompleteJoin(Joined(group, member, member.Id == group.Leader));
            Touch(group, member);
        }

        int generation = group.Generation;
        _timer.Schedule(TimerKey("sync", group.Id), group.RebalanceTimeout, () => ExpireSync(group, generation));
    }

    // Who does not ask for its assignment in time is out.
    private void ExpireSync(ClassicGroup group, int generation)
    {
        if (group.Generation != generation || group.State != ClassicState.CompletingRebalance)
            return;
        foreach (ClassicMember silent in group.Members.Values.Where(m => m.Syncing is null).ToArray())
            Drop(group, silent);
        Rebalance(group);
    }

    private static void PropagateAssignmentError(ClassicGroup group, ErrorCode error)
    {
        foreach (ClassicMember member in group.Members.Values)
        {
            member.Assignment = [];
            member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)error });
        }
    }

    // The member lives: its session starts anew.
    private void Touch(ClassicGroup group, ClassicMember member)
    {
        string id = member.Id;
        _timer.Schedule(TimerKey("session", group.Id, id), member.SessionTimeout, () => ExpireSession(group, id));
    }

    private void ExpireSession(ClassicGroup group, string id)
    {
        if (group.Members.TryGetValue(id, out ClassicMember? member) && member.Joining is null && member.Syncing is null)
            Remove(group, member);
        else if (member is not null)
            Touch(group, member); // it waits for others, not we for it
    }

    private void ExpireNew(ClassicGroup group, string id)
    {
        if (group.Members.TryGetValue(id, out ClassicMember? member))
            Remove(group, member);
    }

    private void ExpirePending(ClassicGroup group, string id)
    {
        if (group.Pending.Remove(id) && group.State == ClassicState.PreparingRebalance)
            CompleteJoinOrWait(group);
    }

    private void Drop(ClassicGroup group, ClassicMember member)
    {
        _timer.Cancel(TimerKey("session", group.Id, member.Id));
        group.Members.Remove(member.Id);
        if (group.Leader == member.Id)
            group.Leader = group.Members.Keys.FirstOrDefault();
        member.CompleteJoin(new JoinGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId, MemberId = member.Id, ProtocolName = "" });
        member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId });
    }

    private void Remove(ClassicGroup group, ClassicMember member)
    {
        Drop(group, member);
        if (group.State is ClassicState.Stable or ClassicState.CompletingRebalance or ClassicState.PreparingRebalance)
            Rebalance(group);
    }

    // Nothing is replayed: the group is what the record says already.
    private void Persist(ClassicGroup group) => CoordinatorLog.Append(_log, [RecordOf(group)], Now());

    // The group as it stands now, in Kafka's record.
    private static CoordinatorRecord RecordOf(ClassicGroup group) => new(
        new GroupMetadataKey { Group = group.Id },
        new GroupMetadataValue
        {
            ProtocolType = group.AgreedType ?? "",
            Generation = group.Generation,
            Protocol = group.Protocol,
            Leader = group.Leader,
            CurrentStateTimestamp = group.StateTimestamp,
            Members = [.. group.Members.Values.Select(m => new GroupMetadataValue.Member
            {
                MemberId = m.Id,
                GroupInstanceId = m.InstanceId,
                ClientId = m.ClientId,
                ClientHost = m.ClientHost,
                RebalanceTimeout = (int)m.RebalanceTimeout.TotalMilliseconds,
                SessionTimeout = (int)m.SessionTimeout.TotalMilliseconds,
                Subscription = m.MetadataOf(group.Protocol),
                Assignment = m.Assignment,
            })],
        });

    private void ReplayClassic(string id, GroupMetadataValue? value)
    {
        if (value is null)
        {
            if (_groups.GetValueOrDefault(id) is ClassicGroup)
                _groups.Remove(id);
            return;
        }

        var group = new ClassicGroup(id) { Generation = value.Generation, Protocol = value.Protocol, Leader = value.Leader, AgreedType = value.ProtocolType.Length > 0 ? value.ProtocolType : null };
        group.MoveTo(value.Members.Count > 0 ? ClassicState.Stable : ClassicState.Empty, value.CurrentStateTimestamp);
        foreach (GroupMetadataValue.Member stored in value.Members)
        {
            group.Members[stored.MemberId] = new ClassicMember
            {
                Id = stored.MemberId,
                InstanceId = stored.GroupInstanceId,
                ClientId = stored.ClientId,
                ClientHost = stored.ClientHost,
                SessionTimeout = TimeSpan.FromMilliseconds(stored.SessionTimeout),
                RebalanceTimeout = TimeSpan.FromMilliseconds(stored.RebalanceTimeout),
                Protocols = [(value.Protocol ?? "", stored.Subscription.ToArray())],
                Assignment = stored.Assignment.ToArray(),
            };
        }

        _groups[id] = group;
    }
}
