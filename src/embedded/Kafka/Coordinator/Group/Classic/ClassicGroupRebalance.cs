using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>How a group of the classic protocol comes from one generation to the next, who waits for it, and who falls out of it.</summary>
internal sealed class ClassicGroupRebalance(ICoordinatorTimer timer, EmbeddedKafkaOptions options, TimeProvider time)
{
    private static readonly TimeSpan NewMemberJoinTimeout = TimeSpan.FromMinutes(5);
    private bool _stopping;

    /// <summary>Starts a rebalance where none is under way; completes the one under way when everybody is there.</summary>
    public CoordinatorResult Rebalance(ClassicGroup group)
    {
        if (group.State is ClassicGroupState.PreparingRebalance)
            return CompleteJoinOrWait(group);

        if (group.State is ClassicGroupState.CompletingRebalance)
            PropagateAssignmentError(group, ErrorCode.RebalanceInProgress);
        timer.Cancel(GroupDeadline.Sync(group.Id));
        bool first = group.State == ClassicGroupState.Empty;
        group.MoveTo(ClassicGroupState.PreparingRebalance, Now());
        TimeSpan delay = options.GroupInitialRebalanceDelay;
        if (!first || delay == TimeSpan.Zero)
            return CompleteJoinOrWait(group);

        group.NewMemberAdded = false;
        TimeSpan left = group.RebalanceTimeout - delay;
        timer.Schedule(GroupDeadline.Join(group.Id), delay, () => CompleteFirstJoinOrWait(group, left));
        return CoordinatorResult.None;
    }

    /// <summary>The answer for a member that joins is given when the rebalance completes.</summary>
    public CoordinatorResult<Task<JoinGroupResponse>> WaitForJoin(ClassicGroup group, ClassicGroupMember member)
    {
        member.CompleteJoin(new JoinGroupResponse
        {
            ErrorCode = (short)ErrorCode.RebalanceInProgress, MemberId = member.Id, ProtocolName = "",
        });
        var joining = new TaskCompletionSource<JoinGroupResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        member.Joining = joining;
        CoordinatorResult result = Rebalance(group);
        ReleaseIfStopping(member);
        return result.With(joining.Task);
    }

    /// <summary>The answer for a member that asks for its assignment is given when the leader has brought the assignments.</summary>
    public CoordinatorResult<Task<SyncGroupResponse>> WaitForSync(ClassicGroup group, ClassicGroupMember member, SyncGroupRequest request)
    {
        member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress });
        var syncing = new TaskCompletionSource<SyncGroupResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        member.Syncing = syncing;
        if (member.Id == group.Leader)
            return Assign(group, request).With(syncing.Task);
        ReleaseIfStopping(member);
        return CoordinatorResult.None.With(syncing.Task);
    }

    /// <summary>The member lives: its session starts anew.</summary>
    public void Touch(ClassicGroup group, ClassicGroupMember member)
    {
        string id = member.Id;
        timer.Schedule(GroupDeadline.Session(group.Id, id), member.SessionTimeout, () => ExpireSession(group, id));
    }

    public void TouchAll(ClassicGroup group)
    {
        foreach (ClassicGroupMember member in group.Members.Values)
            Touch(group, member);
    }

    /// <summary>A client that goes away while it waits for its first rebalance is noticed after a longer time.</summary>
    public void WatchNew(ClassicGroup group, string id) =>
        timer.Schedule(GroupDeadline.Session(group.Id, id), NewMemberJoinTimeout, () => ExpireNew(group, id));

    /// <summary>An id that was given out is kept for as long as a session of its member would last.</summary>
    public void WatchPending(ClassicGroup group, string id, TimeSpan session)
    {
        group.Pending.Add(id);
        timer.Schedule(GroupDeadline.Session(group.Id, id), session, () => ExpirePending(group, id));
    }

    /// <summary>Forgets an id that was given out; whether it was.</summary>
    public bool RemovePending(ClassicGroup group, string id)
    {
        if (!group.Pending.Remove(id))
            return false;
        CancelSession(group, id);
        return true;
    }

    public void CancelSession(ClassicGroup group, string id) => timer.Cancel(GroupDeadline.Session(group.Id, id));

    /// <summary>Takes a member out; the rebalance that this needs is the caller's to begin.</summary>
    public void Drop(ClassicGroup group, ClassicGroupMember member)
    {
        CancelSession(group, member.Id);
        group.Members.Remove(member.Id);
        if (group.Leader == member.Id)
            group.Leader = group.Members.Keys.FirstOrDefault();
        member.CompleteJoin(new JoinGroupResponse
        {
            ErrorCode = (short)ErrorCode.UnknownMemberId, MemberId = member.Id, ProtocolName = "",
        });
        member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId });
    }

    /// <summary>The rebalance that is due after members were dropped.</summary>
    public CoordinatorResult RebalanceWithout(ClassicGroup group) =>
        group.State is ClassicGroupState.Stable or ClassicGroupState.CompletingRebalance or ClassicGroupState.PreparingRebalance
            ? Rebalance(group)
            : CoordinatorResult.None;

    /// <summary>The classic group is a consumer group now: who waits in it joins again, and its deadlines end.</summary>
    public void Retire(ClassicGroup group)
    {
        timer.Cancel(GroupDeadline.Join(group.Id));
        timer.Cancel(GroupDeadline.Sync(group.Id));
        foreach (string id in group.Members.Keys.Concat(group.Pending))
            CancelSession(group, id);
        foreach (ClassicGroupMember member in group.Members.Values)
        {
            member.CompleteJoin(new JoinGroupResponse
            {
                ErrorCode = (short)ErrorCode.RebalanceInProgress, MemberId = member.Id, ProtocolName = "",
            });
            member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress });
        }
    }

    /// <summary>
    /// Answers who waits, now and from now on: a rebalance may last for minutes, and the broker would wait for those connections.
    /// </summary>
    public void Stop(IEnumerable<ClassicGroup> groups)
    {
        _stopping = true;
        foreach (ClassicGroupMember member in groups.SelectMany(g => g.Members.Values))
            ReleaseIfStopping(member);
    }

    public static JoinGroupResponse Joined(ClassicGroup group, ClassicGroupMember member, bool withMembers) => new()
    {
        GenerationId = group.Generation,
        ProtocolType = group.AgreedType,
        ProtocolName = group.Protocol ?? "",
        Leader = group.Leader ?? "",
        MemberId = member.Id,
        Members = !withMembers ? [] : [.. group.Members.Values.Select(m => new JoinGroupResponse.Member
        {
            MemberId = m.Id,
            GroupInstanceId = m.InstanceId,
            Metadata = m.MetadataOf(group.Protocol),
        })],
    };

    public static SyncGroupResponse Synced(ClassicGroup group, ClassicGroupMember member) =>
        new() { ProtocolType = group.AgreedType, ProtocolName = group.Protocol, Assignment = member.Assignment };

    private void ReleaseIfStopping(ClassicGroupMember member)
    {
        if (!_stopping)
            return;
        member.CompleteJoin(new JoinGroupResponse { ErrorCode = (short)ErrorCode.CoordinatorNotAvailable, MemberId = member.Id });
        member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.CoordinatorNotAvailable });
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    private CoordinatorResult CompleteFirstJoinOrWait(ClassicGroup group, TimeSpan left)
    {
        if (!group.NewMemberAdded || left <= TimeSpan.Zero)
            return CompleteJoin(group);

        group.NewMemberAdded = false;
        TimeSpan delay = left < options.GroupInitialRebalanceDelay ? left : options.GroupInitialRebalanceDelay;
        timer.Schedule(GroupDeadline.Join(group.Id), delay, () => CompleteFirstJoinOrWait(group, left - delay));
        return CoordinatorResult.None;
    }

    private CoordinatorResult CompleteJoinOrWait(ClassicGroup group)
    {
        bool waitsForMore = group.PreviousState == ClassicGroupState.Empty
            && options.GroupInitialRebalanceDelay > TimeSpan.Zero
            && group.Members.Count > 0;
        if (waitsForMore)
            return CoordinatorResult.None;
        if (group.HasAllJoined)
            return CompleteJoin(group);
        if (!timer.IsScheduled(GroupDeadline.Join(group.Id)))
            timer.Schedule(GroupDeadline.Join(group.Id), group.RebalanceTimeout, () => CompleteJoin(group));
        return CoordinatorResult.None;
    }

    private CoordinatorResult CompleteJoin(ClassicGroup group)
    {
        if (group.State != ClassicGroupState.PreparingRebalance)
            return CoordinatorResult.None;
        timer.Cancel(GroupDeadline.Join(group.Id));
        // Who has not come back by the deadline is out; static members stay until their session ends.
        foreach (ClassicGroupMember late in group.Members.Values.Where(m => m.Joining is null && m.InstanceId is null).ToArray())
            Drop(group, late);
        if (group.Members.Count > 0 && group.Members.Values.All(m => m.Joining is null))
        {
            timer.Schedule(GroupDeadline.Join(group.Id), group.RebalanceTimeout, () => CompleteJoin(group));
            return CoordinatorResult.None;
        }

        group.Generation++;
        if (group.Members.Count == 0)
            return CompleteEmpty(group);

        group.Protocol = group.SelectProtocol();
        if (group.Leader is null || group.Members.GetValueOrDefault(group.Leader)?.Joining is null)
            group.Leader = group.Members.Values.First(m => m.Joining is not null).Id;
        group.MoveTo(ClassicGroupState.CompletingRebalance, Now());
        foreach (ClassicGroupMember member in group.Members.Values)
        {
            member.CompleteJoin(Joined(group, member, member.Id == group.Leader));
            Touch(group, member);
        }

        int generation = group.Generation;
        timer.Schedule(GroupDeadline.Sync(group.Id), group.RebalanceTimeout, () => ExpireSync(group, generation));
        return CoordinatorResult.None;
    }

    private CoordinatorResult CompleteEmpty(ClassicGroup group)
    {
        (group.Protocol, group.Leader) = (null, null);
        group.MoveTo(ClassicGroupState.Empty, Now());
        return new CoordinatorResult([GroupCoordinatorRecordHelpers.GroupMetadataRecord(group)])
        {
            Replays = false,
            // As in Kafka: after a restart the members would be waited for once more, no more than that.
            Failed = () => CoordinatorResult.None,
        };
    }

    // The leader's assignments. Who has one must have it after a restart too: where they cannot be written, all of them try again.
    private CoordinatorResult Assign(ClassicGroup group, SyncGroupRequest request)
    {
        var assignments = request.Assignments.DistinctBy(a => a.MemberId).ToDictionary(a => a.MemberId, a => a.Assignment.ToArray());
        foreach (ClassicGroupMember one in group.Members.Values)
            one.Assignment = assignments.GetValueOrDefault(one.Id) ?? [];
        return new CoordinatorResult([GroupCoordinatorRecordHelpers.GroupMetadataRecord(group)])
        {
            Replays = false,
            Applied = () =>
            {
                group.MoveTo(ClassicGroupState.Stable, Now());
                timer.Cancel(GroupDeadline.Sync(group.Id));
                foreach (ClassicGroupMember one in group.Members.Values)
                {
                    one.CompleteSync(Synced(group, one));
                    Touch(group, one);
                }

                return CoordinatorResult.None;
            },
            Failed = () =>
            {
                PropagateAssignmentError(group, ErrorCode.NotCoordinator);
                return Rebalance(group);
            },
        };
    }

    // Who does not ask for its assignment in time is out.
    private CoordinatorResult ExpireSync(ClassicGroup group, int generation)
    {
        if (group.Generation != generation || group.State != ClassicGroupState.CompletingRebalance)
            return CoordinatorResult.None;
        foreach (ClassicGroupMember silent in group.Members.Values.Where(m => m.Syncing is null).ToArray())
            Drop(group, silent);
        return Rebalance(group);
    }

    private static void PropagateAssignmentError(ClassicGroup group, ErrorCode error)
    {
        foreach (ClassicGroupMember member in group.Members.Values)
        {
            member.Assignment = [];
            member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)error });
        }
    }

    private CoordinatorResult ExpireSession(ClassicGroup group, string id)
    {
        if (!group.Members.TryGetValue(id, out ClassicGroupMember? member))
            return CoordinatorResult.None;
        if (member.Joining is null && member.Syncing is null)
            return Remove(group, member);
        Touch(group, member); // it waits for others, not we for it
        return CoordinatorResult.None;
    }

    private CoordinatorResult ExpireNew(ClassicGroup group, string id) =>
        group.Members.TryGetValue(id, out ClassicGroupMember? member) ? Remove(group, member) : CoordinatorResult.None;

    private CoordinatorResult ExpirePending(ClassicGroup group, string id) =>
        group.Pending.Remove(id) && group.State == ClassicGroupState.PreparingRebalance
            ? CompleteJoinOrWait(group)
            : CoordinatorResult.None;

    private CoordinatorResult Remove(ClassicGroup group, ClassicGroupMember member)
    {
        Drop(group, member);
        return RebalanceWithout(group);
    }
}
