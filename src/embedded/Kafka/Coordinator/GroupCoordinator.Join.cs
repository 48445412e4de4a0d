using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>JoinGroup: new members, known members, static members that come back.</summary>
internal sealed partial class GroupCoordinator
{
    private const short MemberIdRequiredVersion = 4;
    private const short SkipAssignmentVersion = 9;
    private static readonly TimeSpan NewMemberJoinTimeout = TimeSpan.FromMinutes(5);

    public Task<JoinGroupResponse> Join(RequestContext context, JoinGroupRequest request)
    {
        if (request.GroupId.Length == 0)
            return Refuse(ErrorCode.InvalidGroupId, request.MemberId);
        var session = TimeSpan.FromMilliseconds(request.SessionTimeoutMs);
        if (session < _broker.Options.GroupMinSessionTimeout || session > _broker.Options.GroupMaxSessionTimeout)
            return Refuse(ErrorCode.InvalidSessionTimeout, request.MemberId);
        if (request.MemberId.Length > 0 && request.GroupInstanceId is { Length: 0 })
            return Refuse(ErrorCode.InvalidRequest, request.MemberId);

        lock (_lock)
        {
            bool isNew = request.MemberId.Length == 0;
            Group? found = _groups.GetValueOrDefault(request.GroupId);
            if (found is ConsumerGroup consumers)
            {
                if (!consumers.IsEmpty)
                    return Task.FromResult(Join(context, consumers, request));
                Commit([.. GroupTombstones(consumers)]); // an empty group may change its protocol
                found = null;
            }

            if (found is not ClassicGroup group)
            {
                if (!isNew)
                    return Refuse(ErrorCode.UnknownMemberId, request.MemberId);
                _groups.Add(request.GroupId, group = new ClassicGroup(request.GroupId) { StateTimestamp = Now() });
            }

            if (!Accepts(group, request.MemberId))
            {
                group.Members.Remove(request.MemberId);
                return Refuse(ErrorCode.GroupMaxSizeReached, "");
            }

            if (!group.Supports(request.ProtocolType, request.Protocols.Select(p => p.Name)))
                return Refuse(ErrorCode.InconsistentGroupProtocol, request.MemberId);
            return isNew ? JoinNew(context, group, request) : JoinKnown(context, group, request);
        }
    }

    private static Task<JoinGroupResponse> Refuse(ErrorCode error, string memberId) =>
        Task.FromResult(new JoinGroupResponse { ErrorCode = (short)error, MemberId = memberId, ProtocolName = "" });

    private static JoinGroupResponse Joined(ClassicGroup group, ClassicMember member, bool withMembers) => new()
    {
        GenerationId = group.Generation,
        ProtocolType = group.AgreedType,
        ProtocolName = group.Protocol ?? "",
        Leader = group.Leader ?? "",
        MemberId = member.Id,
        Members = !withMembers ? [] : [.. group.Members.Values.Select(m => new JoinGroupResponse.Member { MemberId = m.Id, GroupInstanceId = m.InstanceId, Metadata = m.MetadataOf(group.Protocol) })],
    };

    // They outlive the request, whose buffer they lie in.
    private static List<(string Name, byte[] Metadata)> ProtocolsOf(JoinGroupRequest request) => request.Protocols.ConvertAll(p => (p.Name, p.Metadata.ToArray()));

    private static int RebalanceTimeoutOf(JoinGroupRequest request) => request.RebalanceTimeoutMs < 0 ? request.SessionTimeoutMs : request.RebalanceTimeoutMs;

    private static void Update(ClassicGroup group, ClassicMember member, JoinGroupRequest request)
    {
        member.Protocols = ProtocolsOf(request);
        member.SessionTimeout = TimeSpan.FromMilliseconds(request.SessionTimeoutMs);
        member.RebalanceTimeout = TimeSpan.FromMilliseconds(RebalanceTimeoutOf(request));
        group.AgreedType = request.ProtocolType;
    }

    private bool Accepts(ClassicGroup group, string memberId)
    {
        int limit = _broker.Options.GroupMaxSize;
        return group.State switch
        {
            ClassicState.PreparingRebalance => group.Members.GetValueOrDefault(memberId)?.Joining is not null || group.Members.Values.Count(m => m.Joining is not null) < limit,
            ClassicState.CompletingRebalance or ClassicState.Stable => group.Members.ContainsKey(memberId) || group.Members.Count < limit,
            _ => true,
        };
    }

    private Task<JoinGroupResponse> JoinNew(RequestContext context, ClassicGroup group, JoinGroupRequest request)
    {
        string id = $"{request.GroupInstanceId ?? context.ClientId}-{Guid.CreateVersion7(_broker.Time.GetUtcNow())}";
        if (request.GroupInstanceId is { } instance)
            return group.Static(instance) is { } known ? RejoinStatic(context, group, known, id, request) : AddAndRebalance(context, group, id, request);
        if (context.Version < MemberIdRequiredVersion)
            return AddAndRebalance(context, group, id, request);
        group.Pending.Add(id);
        _timer.Schedule(TimerKey("session", group.Id, id), TimeSpan.FromMilliseconds(request.SessionTimeoutMs), () => ExpirePending(group, id));
        return Refuse(ErrorCode.MemberIdRequired, id);
    }

    private Task<JoinGroupResponse> JoinKnown(RequestContext context, ClassicGroup group, JoinGroupRequest request)
    {
        if (group.Pending.Contains(request.MemberId) && request.GroupInstanceId is null)
            return AddAndRebalance(context, group, request.MemberId, request);
        ErrorCode error = group.Validate(request.MemberId, request.GroupInstanceId);
        if (error != ErrorCode.None)
            return Refuse(error, request.MemberId);
        ClassicMember member = group.Members[request.MemberId];
        bool unchanged = ClassicMember.AreSame(member.Protocols, ProtocolsOf(request));
        bool leads = group.Leader == member.Id;
        // A member that asks again in the same generation lost our answer.
        if (unchanged && (group.State == ClassicState.CompletingRebalance || (group.State == ClassicState.Stable && !leads)))
            return Task.FromResult(Joined(group, member, leads && group.State == ClassicState.CompletingRebalance));
        if (group.State is ClassicState.Empty or ClassicState.Dead)
            return Refuse(ErrorCode.UnknownMemberId, request.MemberId);
        Update(group, member, request);
        return Wait(group, member);
    }

    private Task<JoinGroupResponse> AddAndRebalance(RequestContext context, ClassicGroup group, string id, JoinGroupRequest request)
    {
        var member = new ClassicMember { Id = id, InstanceId = request.GroupInstanceId, ClientId = context.ClientId, ClientHost = context.ClientHost };
        group.Pending.Remove(id);
        group.Members.Add(id, member);
        group.Leader ??= id;
        Update(group, member, request);
        if (group is { State: ClassicState.PreparingRebalance, PreviousState: ClassicState.Empty })
            group.NewMemberAdded = true;
        // A client that goes away while it waits for its first rebalance is noticed after a longer time.
        _timer.Schedule(TimerKey("session", group.Id, id), NewMemberJoinTimeout, () => ExpireNew(group, id));
        return Wait(group, member);
    }

    // A static member that comes back within its session keeps its place: the old id is fenced, and nothing is rebalanced unless the protocol changes with it (KIP-345).
    private Task<JoinGroupResponse> RejoinStatic(RequestContext context, ClassicGroup group, ClassicMember member, string newId, JoinGroupRequest request)
    {
        string oldId = member.Id;
        string oldLeader = group.Leader ?? "";
        _timer.Cancel(TimerKey("session", group.Id, oldId));
        group.Members.Remove(oldId);
        member.CompleteJoin(new JoinGroupResponse { ErrorCode = (short)ErrorCode.FencedInstanceId, MemberId = oldId, ProtocolName = "" });
        member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.FencedInstanceId });
        member.Id = newId;
        group.Members.Add(newId, member);
        bool leads = oldLeader == oldId;
        if (leads)
            group.Leader = newId;
        Update(group, member, request);
        Touch(group, member);
        if (group.State != ClassicState.Stable || group.SelectProtocol() != group.Protocol)
            return Wait(group, member);

        Persist(group);
        JoinGroupResponse same = Joined(group, member, withMembers: false);
        if (leads && context.Version >= SkipAssignmentVersion)
        {
            same = Joined(group, member, withMembers: true);
            same.SkipAssignment = true; // KIP-814
        }
        else
        {
            same.Leader = oldLeader; // told as a follower, even when it leads: nobody is asked to assign again
        }

        return Task.FromResult(same);
    }

    private Task<JoinGroupResponse> Wait(ClassicGroup group, ClassicMember member)
    {
        member.CompleteJoin(new JoinGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress, MemberId = member.Id, ProtocolName = "" });
        var joining = new TaskCompletionSource<JoinGroupResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        member.Joining = joining;
        Rebalance(group);
        ReleaseIfStopping(member);
        return joining.Task;
    }
}
