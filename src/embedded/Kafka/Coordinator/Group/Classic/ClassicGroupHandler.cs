using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>JoinGroup, SyncGroup, Heartbeat and LeaveGroup for a group of the classic protocol.</summary>
internal sealed class ClassicGroupHandler(ClassicGroupRebalance rebalance, EmbeddedKafkaOptions options, TimeProvider time)
{
    private const short MemberIdRequiredVersion = 4;
    private const short SkipAssignmentVersion = 9;

    public CoordinatorResult<Task<JoinGroupResponse>> Join(RequestContext context, ClassicGroup group, JoinGroupRequest request)
    {
        if (!Accepts(group, request.MemberId))
        {
            group.Members.Remove(request.MemberId);
            return Refuse(ErrorCode.GroupMaxSizeReached, "");
        }

        if (!group.Supports(request.ProtocolType, request.Protocols.Select(p => p.Name)))
            return Refuse(ErrorCode.InconsistentGroupProtocol, request.MemberId);
        return request.MemberId.Length == 0 ? JoinNew(context, group, request) : JoinKnown(context, group, request);
    }

    public CoordinatorResult<Task<SyncGroupResponse>> Sync(ClassicGroup group, SyncGroupRequest request)
    {
        ErrorCode error = group.Validate(request.MemberId, request.GroupInstanceId);
        if (error == ErrorCode.None)
        {
            bool isInconsistent = (request.ProtocolType is { } type && type != group.AgreedType)
                || (request.ProtocolName is { } name && name != group.Protocol);
            error = request.GenerationId != group.Generation ? ErrorCode.IllegalGeneration
                : isInconsistent ? ErrorCode.InconsistentGroupProtocol
                : group.State == ClassicGroupState.PreparingRebalance ? ErrorCode.RebalanceInProgress
                : group.State is ClassicGroupState.Empty or ClassicGroupState.Dead ? ErrorCode.UnknownMemberId
                : ErrorCode.None;
        }

        if (error != ErrorCode.None)
            return CoordinatorResult.None.With(Task.FromResult(new SyncGroupResponse { ErrorCode = (short)error }));
        ClassicGroupMember member = group.Members[request.MemberId];
        rebalance.Touch(group, member);
        return group.State == ClassicGroupState.Stable
            ? CoordinatorResult.None.With(Task.FromResult(ClassicGroupRebalance.Synced(group, member)))
            : rebalance.WaitForSync(group, member, request);
    }

    public ErrorCode Heartbeat(ClassicGroup group, HeartbeatRequest request)
    {
        ErrorCode error = group.Validate(request.MemberId, request.GroupInstanceId);
        if (error != ErrorCode.None)
            return error;
        if (request.GenerationId != group.Generation)
            return ErrorCode.IllegalGeneration;
        if (group.State is ClassicGroupState.Empty or ClassicGroupState.Dead)
            return ErrorCode.UnknownMemberId;
        rebalance.Touch(group, group.Members[request.MemberId]);
        return group.State == ClassicGroupState.PreparingRebalance ? ErrorCode.RebalanceInProgress : ErrorCode.None;
    }

    public CoordinatorResult<List<ErrorCode>> Leave(ClassicGroup group, List<LeaveGroupRequest.Member> leaving)
    {
        List<ErrorCode> errors = leaving.ConvertAll(one => Leave(group, one));
        return (errors.Contains(ErrorCode.None) ? rebalance.RebalanceWithout(group) : CoordinatorResult.None).With(errors);
    }

    /// <summary>What a member says to each protocol. It outlives the request, whose buffer it lies in.</summary>
    public static List<(string Name, byte[] Metadata)> ProtocolsOf(JoinGroupRequest request) =>
        request.Protocols.ConvertAll(p => (p.Name, p.Metadata.ToArray()));

    public static int RebalanceTimeoutOf(JoinGroupRequest request) =>
        request.RebalanceTimeoutMs < 0 ? request.SessionTimeoutMs : request.RebalanceTimeoutMs;

    private static CoordinatorResult<Task<JoinGroupResponse>> Refuse(ErrorCode error, string memberId) =>
        Answer(new JoinGroupResponse { ErrorCode = (short)error, MemberId = memberId, ProtocolName = "" });

    private static CoordinatorResult<Task<JoinGroupResponse>> Answer(JoinGroupResponse response) =>
        CoordinatorResult.None.With(Task.FromResult(response));

    private static void Update(ClassicGroup group, ClassicGroupMember member, JoinGroupRequest request)
    {
        member.Protocols = ProtocolsOf(request);
        member.SessionTimeout = TimeSpan.FromMilliseconds(request.SessionTimeoutMs);
        member.RebalanceTimeout = TimeSpan.FromMilliseconds(RebalanceTimeoutOf(request));
        group.AgreedType = request.ProtocolType;
    }

    private bool Accepts(ClassicGroup group, string memberId)
    {
        int limit = options.GroupMaxSize;
        return group.State switch
        {
            ClassicGroupState.PreparingRebalance =>
                group.Members.GetValueOrDefault(memberId)?.Joining is not null
                    || group.Members.Values.Count(m => m.Joining is not null) < limit,
            ClassicGroupState.CompletingRebalance or ClassicGroupState.Stable =>
                group.Members.ContainsKey(memberId) || group.Members.Count < limit,
            _ => true,
        };
    }

    private CoordinatorResult<Task<JoinGroupResponse>> JoinNew(RequestContext context, ClassicGroup group, JoinGroupRequest request)
    {
        string id = $"{request.GroupInstanceId ?? context.ClientId}-{Guid.CreateVersion7(time.GetUtcNow())}";
        if (request.GroupInstanceId is { } instance)
            return group.Static(instance) is { } known
                ? RejoinStatic(context, group, known, id, request)
                : AddAndRebalance(context, group, id, request);
        if (context.Version < MemberIdRequiredVersion)
            return AddAndRebalance(context, group, id, request);
        rebalance.WatchPending(group, id, TimeSpan.FromMilliseconds(request.SessionTimeoutMs));
        return Refuse(ErrorCode.MemberIdRequired, id);
    }

    private CoordinatorResult<Task<JoinGroupResponse>> JoinKnown(RequestContext context, ClassicGroup group, JoinGroupRequest request)
    {
        if (group.Pending.Contains(request.MemberId) && request.GroupInstanceId is null)
            return AddAndRebalance(context, group, request.MemberId, request);
        ErrorCode error = group.Validate(request.MemberId, request.GroupInstanceId);
        if (error != ErrorCode.None)
            return Refuse(error, request.MemberId);
        ClassicGroupMember member = group.Members[request.MemberId];
        bool unchanged = ClassicGroupMember.AreSame(member.Protocols, ProtocolsOf(request));
        bool leads = group.Leader == member.Id;
        // A member that asks again in the same generation lost our answer.
        if (unchanged && (group.State == ClassicGroupState.CompletingRebalance || (group.State == ClassicGroupState.Stable && !leads)))
            return Answer(ClassicGroupRebalance.Joined(group, member, leads && group.State == ClassicGroupState.CompletingRebalance));
        if (group.State is ClassicGroupState.Empty or ClassicGroupState.Dead)
            return Refuse(ErrorCode.UnknownMemberId, request.MemberId);
        Update(group, member, request);
        return rebalance.WaitForJoin(group, member);
    }

    private CoordinatorResult<Task<JoinGroupResponse>> AddAndRebalance(
        RequestContext context, ClassicGroup group, string id, JoinGroupRequest request)
    {
        var member = new ClassicGroupMember
        {
            Id = id,
            InstanceId = request.GroupInstanceId,
            ClientId = context.ClientId,
            ClientHost = context.ClientHost,
        };
        group.Pending.Remove(id);
        group.Members.Add(id, member);
        group.Leader ??= id;
        Update(group, member, request);
        if (group is { State: ClassicGroupState.PreparingRebalance, PreviousState: ClassicGroupState.Empty })
            group.NewMemberAdded = true;
        rebalance.WatchNew(group, id);
        return rebalance.WaitForJoin(group, member);
    }

    // A static member that comes back within its session keeps its place: the old id is fenced, and nothing is rebalanced unless the
    // protocol changes with it (KIP-345).
    private CoordinatorResult<Task<JoinGroupResponse>> RejoinStatic(
        RequestContext context, ClassicGroup group, ClassicGroupMember member, string newId, JoinGroupRequest request)
    {
        string oldId = member.Id;
        string oldLeader = group.Leader ?? "";
        rebalance.CancelSession(group, oldId);
        group.Members.Remove(oldId);
        member.CompleteJoin(new JoinGroupResponse { ErrorCode = (short)ErrorCode.FencedInstanceId, MemberId = oldId, ProtocolName = "" });
        member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.FencedInstanceId });
        member.Id = newId;
        group.Members.Add(newId, member);
        bool leads = oldLeader == oldId;
        if (leads)
            group.Leader = newId;
        Update(group, member, request);
        rebalance.Touch(group, member);
        if (group.State != ClassicGroupState.Stable || group.SelectProtocol() != group.Protocol)
            return rebalance.WaitForJoin(group, member);

        JoinGroupResponse same;
        if (leads && context.Version >= SkipAssignmentVersion)
        {
            same = ClassicGroupRebalance.Joined(group, member, withMembers: true);
            same.SkipAssignment = true; // KIP-814
        }
        else
        {
            same = ClassicGroupRebalance.Joined(group, member, withMembers: false);
            same.Leader = oldLeader; // told as a follower, even when it leads: nobody is asked to assign again
        }

        return new CoordinatorResult([GroupCoordinatorRecordHelpers.GroupMetadataRecord(group)])
        {
            Replays = false,
        }.With(Task.FromResult(same));
    }

    private ErrorCode Leave(ClassicGroup group, LeaveGroupRequest.Member leaving)
    {
        if (leaving.GroupInstanceId is null && rebalance.RemovePending(group, leaving.MemberId))
            return ErrorCode.None;

        // An administrator removes a static member by its instance alone.
        ClassicGroupMember? known = leaving.GroupInstanceId is { } instance
            ? group.Static(instance)
            : group.Members.GetValueOrDefault(leaving.MemberId);
        if (known is null)
            return ErrorCode.UnknownMemberId;
        if (leaving.GroupInstanceId is not null && leaving.MemberId.Length > 0 && known.Id != leaving.MemberId)
            return ErrorCode.FencedInstanceId;
        rebalance.Drop(group, known);
        return ErrorCode.None;
    }
}
