using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// Members of the classic protocol in a consumer group: the member epoch is their generation, a JoinGroup is the heartbeat that brings them a step further, a SyncGroup tells what they have after it,
/// and a Heartbeat sends them to join again when there is a next step.
/// </summary>
internal sealed partial class GroupCoordinator
{
    private JoinGroupResponse Join(RequestContext context, ConsumerGroup group, JoinGroupRequest request)
    {
        static JoinGroupResponse Error(ErrorCode error, string memberId = "") => new() { ErrorCode = (short)error, MemberId = memberId, ProtocolName = "" };
        bool isNew = request.MemberId.Length == 0;
        string memberId = isNew ? NewMemberId() : request.MemberId;
        if (IsFull(group, memberId, request.GroupInstanceId))
            return Error(ErrorCode.GroupMaxSizeReached);
        if (request.ProtocolType != ConsumerProtocol.Type || !group.SupportsClassicProtocols(request.Protocols.Select(p => p.Name)))
            return Error(ErrorCode.InconsistentGroupProtocol);
        if (isNew && request.GroupInstanceId is null && context.Version >= MemberIdRequiredVersion)
            return Error(ErrorCode.MemberIdRequired, memberId);

        ConsumerGroupMember? known = request.GroupInstanceId is { } instance ? group.Static(instance) : group.Members.GetValueOrDefault(memberId);
        if (request.GroupInstanceId is not null && !isNew && known?.Id != memberId)
            return Error(known is null ? ErrorCode.UnknownMemberId : ErrorCode.FencedInstanceId);
        ConsumerProtocolSubscription subscription;
        try
        {
            subscription = ConsumerProtocol.ReadSubscription(request.Protocols[0].Metadata);
        }
        catch (MalformedRequestException)
        {
            return Error(ErrorCode.UnknownServerError);
        }

        // A static member that comes back is a new member with what the old one had.
        ConsumerGroupMember? replaced = known?.Id != memberId ? known : null;
        ConsumerGroupMember member = replaced is not null ? replaced with { Id = memberId, Epoch = 0, PreviousEpoch = 0, State = MemberState.Stable } : known ?? new ConsumerGroupMember(memberId) { PreviousEpoch = 0 };
        bool downgrade = request.GroupInstanceId is not null && known is { Classic: null } && IsDowngrade(group, [known], group.Members.Count);
        Commit(Changes(group, Updated(context, request, subscription, member), replaced, out bool changed));
        if (replaced is not null)
            CancelTimers(group.Id, replaced.Id);
        CancelTimers(group.Id, memberId);
        RefreshTopics(group, changed);
        member = group.Members[memberId];
        // A classic group in which subscriptions have changed is assigned by its leader.
        if (!downgrade || !changed)
        {
            AssignTarget(group);
            member = Reconcile(group, member, PartitionsOf(subscription.OwnedPartitions.Select(t => (t.Topic, t.Partitions))));
        }

        if (downgrade)
        {
            Downgrade(group, [], rebalance: changed);
        }
        else
        {
            Touch(group, member);
            WatchClassic("sync", group, member);
        }

        return new JoinGroupResponse { GenerationId = member.Epoch, ProtocolType = ConsumerProtocol.Type, ProtocolName = member.Classic!.Protocol.Name, MemberId = memberId };
    }

    private SyncGroupResponse Sync(ConsumerGroup group, SyncGroupRequest request)
    {
        ErrorCode error = FindClassicMember(group, request.MemberId, request.GroupInstanceId, request.GenerationId, out ConsumerGroupMember? member);
        if (error == ErrorCode.None && ((request.ProtocolType ?? ConsumerProtocol.Type) != ConsumerProtocol.Type || (request.ProtocolName is { } name && name != member!.Classic!.Protocol.Name)))
            error = ErrorCode.InconsistentGroupProtocol;
        if (error == ErrorCode.None && member!.State != MemberState.UnrevokedPartitions && member.Epoch < group.Epoch)
        {
            WatchClassic("join", group, member);
            error = ErrorCode.RebalanceInProgress;
        }

        if (error != ErrorCode.None)
            return new SyncGroupResponse { ErrorCode = (short)error };
        _timer.Cancel(TimerKey("sync", group.Id, member!.Id));
        Touch(group, member);
        return new SyncGroupResponse { ProtocolType = request.ProtocolType, ProtocolName = request.ProtocolName, Assignment = ConsumerProtocol.Write(AssignmentOf(member.Assigned), member.Classic!.Protocol.Metadata) };
    }

    private ErrorCode Heartbeat(ConsumerGroup group, HeartbeatRequest request)
    {
        ErrorCode error = FindClassicMember(group, request.MemberId, request.GroupInstanceId, request.GenerationId, out ConsumerGroupMember? member);
        if (error != ErrorCode.None)
            return error;
        Touch(group, member!);
        bool hasNextStep = member!.Epoch < group.Epoch || member.State == MemberState.UnrevokedPartitions || (member.State == MemberState.UnreleasedPartitions && !group.WaitsForOthers(member));
        if (!hasNextStep)
            return ErrorCode.None;
        WatchClassic("join", group, member);
        return ErrorCode.RebalanceInProgress;
    }

    // An administrator may remove members of either protocol.
    private List<ErrorCode> Leave(ConsumerGroup group, List<LeaveGroupRequest.Member> leaving)
    {
        HashSet<ConsumerGroupMember> left = [];
        List<ErrorCode> errors = leaving.ConvertAll(one =>
        {
            ConsumerGroupMember? member = one.GroupInstanceId is { } instance ? group.Static(instance) : group.Members.GetValueOrDefault(one.MemberId);
            if (member is null)
                return ErrorCode.UnknownMemberId;
            if (one.MemberId.Length > 0 && member.Id != one.MemberId)
                return ErrorCode.FencedInstanceId;
            left.Add(member);
            return ErrorCode.None;
        });
        Fence(group, [.. left]);
        return errors;
    }

    private static ErrorCode FindClassicMember(ConsumerGroup group, string memberId, string? instanceId, int generation, out ConsumerGroupMember? member)
    {
        member = instanceId is null ? group.Members.GetValueOrDefault(memberId) : group.Static(instanceId);
        return member is null ? ErrorCode.UnknownMemberId
            : member.Id != memberId ? ErrorCode.FencedInstanceId
            : member.Classic is null ? ErrorCode.UnknownMemberId
            : CheckMemberEpoch(member, generation, isTransactional: false);
    }

    private static ConsumerGroupMember Updated(RequestContext context, JoinGroupRequest request, ConsumerProtocolSubscription subscription, ConsumerGroupMember member) => member with
    {
        InstanceId = request.GroupInstanceId ?? member.InstanceId,
        RackId = subscription.RackId ?? member.RackId,
        RebalanceTimeoutMs = RebalanceTimeoutOf(request),
        Topics = ImmutableSortedSet.CreateRange(StringComparer.Ordinal, subscription.Topics),
        TopicRegex = null,
        ClientId = context.ClientId,
        ClientHost = context.ClientHost,
        Classic = new ClassicMemberMetadata(request.SessionTimeoutMs, ProtocolsOf(request)),
    };

    // Who was sent to join, or has joined, has the rebalance time-out for its join or its sync.
    private void WatchClassic(string step, ConsumerGroup group, ConsumerGroupMember member)
    {
        string key = TimerKey(step, group.Id, member.Id);
        if (!_timer.IsScheduled(key))
            _timer.Schedule(key, TimeSpan.FromMilliseconds(Math.Max(0, member.RebalanceTimeoutMs)), () => Expire(group.Id, member.Id));
    }

    private void CancelClassicTimers(string groupId, string memberId)
    {
        _timer.Cancel(TimerKey("join", groupId, memberId));
        _timer.Cancel(TimerKey("sync", groupId, memberId));
    }
}
