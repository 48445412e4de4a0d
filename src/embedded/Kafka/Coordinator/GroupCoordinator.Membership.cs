using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>SyncGroup, Heartbeat, LeaveGroup of the classic protocol.</summary>
internal sealed partial class GroupCoordinator
{
    private const short BatchedLeaveVersion = 3;

    public Task<SyncGroupResponse> Sync(SyncGroupRequest request)
    {
        lock (_lock)
        {
            if (request.GroupId.Length == 0)
                return Answer(ErrorCode.InvalidGroupId);
            if (_groups.GetValueOrDefault(request.GroupId) is ConsumerGroup consumers)
                return Task.FromResult(Sync(consumers, request));
            if (_groups.GetValueOrDefault(request.GroupId) is not ClassicGroup group)
                return Answer(ErrorCode.UnknownMemberId);
            ErrorCode error = group.Validate(request.MemberId, request.GroupInstanceId);
            if (error == ErrorCode.None)
            {
                error = request.GenerationId != group.Generation ? ErrorCode.IllegalGeneration
                    : (request.ProtocolType is { } type && type != group.AgreedType) || (request.ProtocolName is { } name && name != group.Protocol) ? ErrorCode.InconsistentGroupProtocol
                    : group.State == ClassicState.PreparingRebalance ? ErrorCode.RebalanceInProgress
                    : group.State is ClassicState.Empty or ClassicState.Dead ? ErrorCode.UnknownMemberId
                    : ErrorCode.None;
            }

            if (error != ErrorCode.None)
                return Answer(error);
            ClassicMember member = group.Members[request.MemberId];
            Touch(group, member);
            if (group.State == ClassicState.Stable)
                return Task.FromResult(Synced(group, member));
            member.CompleteSync(new SyncGroupResponse { ErrorCode = (short)ErrorCode.RebalanceInProgress });
            var syncing = new TaskCompletionSource<SyncGroupResponse>(TaskCreationOptions.RunContinuationsAsynchronously);
            member.Syncing = syncing;
            if (member.Id == group.Leader)
                Assign(group, request);
            ReleaseIfStopping(member);
            return syncing.Task;
        }
    }

    public HeartbeatResponse Heartbeat(HeartbeatRequest request)
    {
        lock (_lock)
        {
            if (_groups.GetValueOrDefault(request.GroupId) is ConsumerGroup consumers)
                return new HeartbeatResponse { ErrorCode = (short)Heartbeat(consumers, request) };
            if (_groups.GetValueOrDefault(request.GroupId) is not ClassicGroup group)
                return new HeartbeatResponse { ErrorCode = (short)ErrorCode.UnknownMemberId };
            ErrorCode error = group.Validate(request.MemberId, request.GroupInstanceId);
            if (error == ErrorCode.None)
                error = request.GenerationId != group.Generation ? ErrorCode.IllegalGeneration : group.State is ClassicState.Empty or ClassicState.Dead ? ErrorCode.UnknownMemberId : ErrorCode.None;
            if (error == ErrorCode.None)
            {
                Touch(group, group.Members[request.MemberId]);
                if (group.State == ClassicState.PreparingRebalance)
                    error = ErrorCode.RebalanceInProgress;
            }

            return new HeartbeatResponse { ErrorCode = (short)error };
        }
    }

    public LeaveGroupResponse Leave(RequestContext context, LeaveGroupRequest request)
    {
        bool single = context.Version < BatchedLeaveVersion;
        List<LeaveGroupRequest.Member> leaving = single ? [new LeaveGroupRequest.Member { MemberId = request.MemberId }] : request.Members;
        lock (_lock)
        {
            if (_groups.GetValueOrDefault(request.GroupId) is not { } group)
                return new LeaveGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId };
            List<ErrorCode> errors = group is ClassicGroup classic ? leaving.ConvertAll(one => Leave(classic, one)) : Leave((ConsumerGroup)group, leaving);
            var response = new LeaveGroupResponse
            {
                Members = [.. leaving.Zip(errors, (one, error) => new LeaveGroupResponse.Member { MemberId = one.MemberId, GroupInstanceId = one.GroupInstanceId, ErrorCode = (short)error })],
            };
            if (single)
                response.ErrorCode = response.Members[0].ErrorCode;
            if (group is ClassicGroup { State: ClassicState.Stable or ClassicState.CompletingRebalance or ClassicState.PreparingRebalance } left && response.Members.Exists(m => m.ErrorCode == 0))
                Rebalance(left);
            return response;
        }
    }

    private static Task<SyncGroupResponse> Answer(ErrorCode error) => Task.FromResult(new SyncGroupResponse { ErrorCode = (short)error });

    private static SyncGroupResponse Synced(ClassicGroup group, ClassicMember member) =>
        new() { ProtocolType = group.AgreedType, ProtocolName = group.Protocol, Assignment = member.Assignment };

    private void Assign(ClassicGroup group, SyncGroupRequest request)
    {
        var assignments = request.Assignments.DistinctBy(a => a.MemberId).ToDictionary(a => a.MemberId, a => a.Assignment.ToArray());
        foreach (ClassicMember one in group.Members.Values)
            one.Assignment = assignments.GetValueOrDefault(one.Id) ?? [];
        try
        {
            Persist(group);
        }
        catch (KafkaStorageException)
        {
            // Who has an assignment must have it after a restart too: all of them try again.
            PropagateAssignmentError(group, ErrorCode.NotCoordinator);
            Rebalance(group);
            return;
        }

        group.MoveTo(ClassicState.Stable, Now());
        _timer.Cancel(TimerKey("sync", group.Id));
        foreach (ClassicMember one in group.Members.Values)
        {
            one.CompleteSync(Synced(group, one));
            Touch(group, one);
        }
    }

    private ErrorCode Leave(ClassicGroup group, LeaveGroupRequest.Member leaving)
    {
        if (leaving.GroupInstanceId is null && group.Pending.Remove(leaving.MemberId))
        {
            _timer.Cancel(TimerKey("session", group.Id, leaving.MemberId));
            return ErrorCode.None;
        }

        // An administrator removes a static member by its instance alone.
        ClassicMember? known = leaving.GroupInstanceId is { } instance ? group.Static(instance) : group.Members.GetValueOrDefault(leaving.MemberId);
        if (known is null)
            return ErrorCode.UnknownMemberId;
        if (leaving.GroupInstanceId is not null && leaving.MemberId.Length > 0 && known.Id != leaving.MemberId)
            return ErrorCode.FencedInstanceId;
        Drop(group, known);
        return ErrorCode.None;
    }
}
