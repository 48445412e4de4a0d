using System.Collections.Concurrent;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Consumer groups of the classic protocol (Apache Kafka, "Group Membership Protocol"): joining, rebalancing, static members.</summary>
internal sealed partial class GroupCoordinator : IDisposable
{
    private static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MinSession = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxSession = TimeSpan.FromMinutes(30);

    private readonly ConcurrentDictionary<string, Group> _groups = [];
    private readonly UnifiedLog _log;
    private readonly TimeProvider _time;
    private readonly ITimer _tick;

    public GroupCoordinator(UnifiedLog log, TimeProvider time)
    {
        (_log, _time) = (log, time);
        _tick = time.CreateTimer(_ => Tick(), null, TickInterval, TickInterval);
    }

    public IEnumerable<Group> Groups => _groups.Values;

    public void Dispose() => _tick.Dispose();

    public Task<JoinGroupResponse> Join(RequestContext context, JoinGroupRequest request, short version)
    {
        if (request.GroupId.Length == 0)
            return Refuse(ErrorCode.InvalidGroupId, request.MemberId);
        var session = TimeSpan.FromMilliseconds(request.SessionTimeoutMs);
        if (session < MinSession || session > MaxSession)
            return Refuse(ErrorCode.InvalidSessionTimeout, request.MemberId);
        if (request.Protocols.Count == 0)
            return Refuse(ErrorCode.InconsistentGroupProtocol, request.MemberId);

        Group group = _groups.GetOrAdd(request.GroupId, id => new Group(id));
        lock (group.Lock)
        {
            if ((group.Members.Count > 0 && group.ProtocolType != request.ProtocolType) || !group.Supports(request.Protocols.Select(p => p.Name)))
                return Refuse(ErrorCode.InconsistentGroupProtocol, request.MemberId);

            DateTimeOffset now = _time.GetUtcNow();
            List<(string, byte[])> protocols = request.Protocols.ConvertAll(p => (p.Name, p.Metadata.ToArray()));
            GroupMember? member;
            if (request.GroupInstanceId is { } instance && group.Static(instance) is { } known)
            {
                if (request.MemberId.Length > 0 && request.MemberId != known.Id)
                    return Refuse(ErrorCode.FencedInstanceId, request.MemberId);
                if (request.MemberId.Length == 0)
                    return RejoinStatic(group, known, protocols, now);
                member = known;
            }
            else if (request.MemberId.Length == 0)
            {
                string id = $"{request.GroupInstanceId ?? context.ClientId}-{Guid.CreateVersion7(now)}";
                if (version >= 4 && request.GroupInstanceId is null)
                {
                    group.Pending[id] = now + session;
                    return Refuse(ErrorCode.MemberIdRequired, id);
                }

                member = Add(group, id, request, context);
            }
            else if (!group.Members.TryGetValue(request.MemberId, out member))
            {
                if (!group.Pending.Remove(request.MemberId))
                    return Refuse(ErrorCode.UnknownMemberId, request.MemberId);
                member = Add(group, request.MemberId, request, context);
            }

            bool unchanged = member.HasSameProtocols(protocols);
            member.Protocols = protocols;
            member.SessionTimeout = session;
            member.RebalanceTimeout = request.RebalanceTimeoutMs < 0 ? session : TimeSpan.FromMilliseconds(request.RebalanceTimeoutMs);
            member.LastSeen = now;
            group.ProtocolType = request.ProtocolType;

            // A follower that asks again in the same generation lost our answer.
            if (unchanged && (group.State == GroupState.CompletingRebalance || (group.State == GroupState.Stable && member.Id != group.Leader)))
                return Task.FromResult(Joined(group, member));

            member.Joining?.TrySetResult(new JoinGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress, MemberId = member.Id });
            var joining = new TaskCompletionSource<JoinGroupResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
            member.Joining = joining;
            PrepareRebalance(group, now);
            CompleteJoinIfAll(group, now);
            return joining.Task;
        }
    }

    public Task<SyncGroupResponse> Sync(SyncGroupRequest request)
    {
        if (!_groups.TryGetValue(request.GroupId, out Group? group))
            return Task.FromResult(new SyncGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId });
        lock (group.Lock)
        {
            ErrorCode error = CheckMember(group, request.MemberId, request.GroupInstanceId, request.GenerationId, out GroupMember? member);
            if (error == ErrorCode.None && group.State == GroupState.PreparingRebalance)
                error = ErrorCode.RebalanceInProgress;
            if (error == ErrorCode.None && ((request.ProtocolType is { } type && type != group.ProtocolType) || (request.ProtocolName is { } name && name != group.Protocol)))
                error = ErrorCode.InconsistentGroupProtocol;
            if (error != ErrorCode.None)
                return Task.FromResult(new SyncGroupResponse { ErrorCode = (short)error });

            member!.LastSeen = _time.GetUtcNow();
            if (group.State == GroupState.Stable)
                return Task.FromResult(Synced(group, member));

            var syncing = new TaskCompletionSource<SyncGroupResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
            member.Syncing = syncing;
            if (member.Id == group.Leader)
            {
                var assignments = request.Assignments.ToDictionary(a => a.MemberId, a => a.Assignment.ToArray());
                group.State = GroupState.Stable;
                foreach (GroupMember one in group.Members.Values)
                {
                    one.Assignment = assignments.GetValueOrDefault(one.Id) ?? [];
                    one.Syncing?.TrySetResult(Synced(group, one));
                    one.Syncing = null;
                }
            }

            return syncing.Task;
        }
    }

    public HeartbeatResponse Heartbeat(HeartbeatRequest request)
    {
        if (!_groups.TryGetValue(request.GroupId, out Group? group))
            return new HeartbeatResponse { ErrorCode = (short)ErrorCode.UnknownMemberId };
        lock (group.Lock)
        {
            ErrorCode error = CheckMember(group, request.MemberId, request.GroupInstanceId, request.GenerationId, out GroupMember? member);
            if (error == ErrorCode.None)
            {
                member!.LastSeen = _time.GetUtcNow();
                if (group.State == GroupState.PreparingRebalance)
                    error = ErrorCode.RebalanceInProgress;
            }

            return new HeartbeatResponse { ErrorCode = (short)error };
        }
    }

    public LeaveGroupResponse Leave(LeaveGroupRequest request, short version)
    {
        var response = new LeaveGroupResponse();
        List<LeaveGroupRequest.Member> leaving = version < 3 ? [new LeaveGroupRequest.Member { MemberId = request.MemberId }] : request.Members;
        if (!_groups.TryGetValue(request.GroupId, out Group? group))
        {
            response.ErrorCode = (short)ErrorCode.UnknownMemberId;
            return response;
        }

        lock (group.Lock)
        {
            foreach (LeaveGroupRequest.Member one in leaving)
            {
                GroupMember? member = one.GroupInstanceId is { } instance ? group.Static(instance) : group.Members.GetValueOrDefault(one.MemberId);
                ErrorCode error = group.Pending.Remove(one.MemberId) ? ErrorCode.None
                    : member is null ? ErrorCode.UnknownMemberId
                    : one.MemberId.Length > 0 && member.Id != one.MemberId ? ErrorCode.FencedInstanceId
                    : ErrorCode.None;
                if (error == ErrorCode.None && member is not null)
                    Remove(group, member, _time.GetUtcNow());
                response.Members.Add(new LeaveGroupResponse.Member { MemberId = one.MemberId, GroupInstanceId = one.GroupInstanceId, ErrorCode = (short)error });
            }

            if (version < 3)
                response.ErrorCode = response.Members[0].ErrorCode;
            return response;
        }
    }

    public Group? Find(string id) => _groups.GetValueOrDefault(id);

    public ErrorCode Delete(string id)
    {
        if (!_groups.TryGetValue(id, out Group? group))
            return ErrorCode.GroupIdNotFound;
        lock (group.Lock)
        {
            if (group.Members.Count > 0)
                return ErrorCode.NonEmptyGroup;
            DeleteOffsets(group, [.. group.Offsets.Keys]);
            group.State = GroupState.Dead;
            _groups.TryRemove(id, out _);
            return ErrorCode.None;
        }
    }

    private static Task<JoinGroupResponse> Refuse(ErrorCode error, string memberId) =>
        Task.FromResult(new JoinGroupResponse { ErrorCode = (short)error, MemberId = memberId, ProtocolName = "" });

    private static JoinGroupResponse Joined(Group group, GroupMember member)
    {
        var response = new JoinGroupResponse
        {
            GenerationId = group.Generation,
            ProtocolType = group.ProtocolType,
            ProtocolName = group.Protocol,
            Leader = group.Leader!,
            MemberId = member.Id,
        };
        if (member.Id == group.Leader)
        {
            foreach (GroupMember one in group.Members.Values)
            {
                response.Members.Add(new JoinGroupResponse.Member
                {
                    MemberId = one.Id,
                    GroupInstanceId = one.InstanceId,
                    Metadata = one.Protocols.First(p => p.Name == group.Protocol).Metadata,
                });
            }
        }

        return response;
    }

    private static SyncGroupResponse Synced(Group group, GroupMember member) =>
        new() { ProtocolType = group.ProtocolType, ProtocolName = group.Protocol, Assignment = member.Assignment };

    private static ErrorCode CheckMember(Group group, string memberId, string? instanceId, int generation, out GroupMember? member)
    {
        if (instanceId is not null && group.Static(instanceId) is { } known && known.Id != memberId)
        {
            member = null;
            return ErrorCode.FencedInstanceId;
        }

        return !group.Members.TryGetValue(memberId, out member) ? ErrorCode.UnknownMemberId
            : generation != group.Generation ? ErrorCode.IllegalGeneration
            : ErrorCode.None;
    }

    private static GroupMember Add(Group group, string id, JoinGroupRequest request, RequestContext context)
    {
        var member = new GroupMember { Id = id, InstanceId = request.GroupInstanceId, ClientId = context.ClientId, ClientHost = context.ClientHost };
        group.Members.Add(id, member);
        return member;
    }

    // A static member that comes back within its session keeps its place: the old id is fenced, and nothing is rebalanced unless it now wants something else.
    private static Task<JoinGroupResponse> RejoinStatic(Group group, GroupMember member, List<(string, byte[])> protocols, DateTimeOffset now)
    {
        string oldId = member.Id;
        string oldLeader = group.Leader ?? "";
        group.Members.Remove(oldId);
        member.Id = $"{member.InstanceId}-{Guid.CreateVersion7(now)}";
        group.Members.Add(member.Id, member);
        if (group.Leader == oldId)
            group.Leader = member.Id;
        member.Joining?.TrySetResult(new JoinGroupResponse { ErrorCode = (short)ErrorCode.FencedInstanceId, MemberId = oldId });
        member.Syncing?.TrySetResult(new SyncGroupResponse { ErrorCode = (short)ErrorCode.FencedInstanceId });
        (member.Joining, member.Syncing) = (null, null);
        bool unchanged = member.HasSameProtocols(protocols);
        member.Protocols = protocols;
        member.LastSeen = now;
        if (group.State == GroupState.Stable && unchanged)
        {
            JoinGroupResponse same = Joined(group, member);
            same.Leader = oldLeader; // told as a follower, even when it leads: nobody is asked to assign again
            same.Members.Clear();
            return Task.FromResult(same);
        }

        var joining = new TaskCompletionSource<JoinGroupResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
        member.Joining = joining;
        PrepareRebalance(group, now);
        CompleteJoinIfAll(group, now);
        return joining.Task;
    }

    private static void PrepareRebalance(Group group, DateTimeOffset now)
    {
        if (group.State == GroupState.PreparingRebalance)
            return;
        foreach (GroupMember member in group.Members.Values)
        {
            member.Syncing?.TrySetResult(new SyncGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress });
            member.Syncing = null;
        }

        group.State = GroupState.PreparingRebalance;
        group.RebalanceDeadline = now + group.Members.Values.Select(m => m.RebalanceTimeout).DefaultIfEmpty().Max();
    }

    private static void CompleteJoinIfAll(Group group, DateTimeOffset now)
    {
        if (group.State != GroupState.PreparingRebalance || (group.Members.Values.Any(m => m.Joining is null) && now < group.RebalanceDeadline))
            return;

        // Who has not come back by the deadline is out; static members stay until their session ends.
        foreach (GroupMember late in group.Members.Values.Where(m => m.Joining is null && m.InstanceId is null).ToArray())
            group.Members.Remove(late.Id);
        if (group.Members.Count > 0 && group.Members.Values.All(m => m.Joining is null))
            return; // only static members are left, and they have their sessions
        group.Generation++;
        if (group.Members.Count == 0)
        {
            (group.State, group.Protocol, group.Leader) = (GroupState.Empty, null, null);
            return;
        }

        group.Protocol = group.SelectProtocol();
        if (group.Leader is null || !group.Members.TryGetValue(group.Leader, out GroupMember? leader) || leader.Joining is null)
            group.Leader = group.Members.Values.First(m => m.Joining is not null).Id;
        group.State = GroupState.CompletingRebalance;
        foreach (GroupMember member in group.Members.Values)
        {
            member.LastSeen = now;
            member.Assignment = [];
            member.Joining?.TrySetResult(Joined(group, member));
            member.Joining = null;
        }
    }

    private static void Remove(Group group, GroupMember member, DateTimeOffset now)
    {
        group.Members.Remove(member.Id);
        member.Joining?.TrySetResult(new JoinGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId, MemberId = member.Id });
        member.Syncing?.TrySetResult(new SyncGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId });
        PrepareRebalance(group, now);
        CompleteJoinIfAll(group, now);
    }

    private void Tick()
    {
        DateTimeOffset now = _time.GetUtcNow();
        foreach (Group group in _groups.Values)
        {
            lock (group.Lock)
            {
                foreach ((string id, DateTimeOffset until) in group.Pending.ToArray())
                {
                    if (now > until)
                        group.Pending.Remove(id);
                }

                foreach (GroupMember member in group.Members.Values.Where(m => m.Joining is null && m.Syncing is null && now - m.LastSeen > m.SessionTimeout).ToArray())
                    Remove(group, member, now);
                CompleteJoinIfAll(group, now);
            }
        }
    }
}
