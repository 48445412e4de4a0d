using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// Members of the classic protocol in a consumer group: the member epoch is their generation, a JoinGroup is the heartbeat that brings them
/// a step further, a SyncGroup tells what they have after it, and a Heartbeat sends them to join again when there is a next step.
/// </summary>
internal sealed class ClassicMemberHandler(
    ConsumerGroupAssignment assignment, ConsumerGroupSessions sessions, EmbeddedKafkaOptions options, TopicStore topics, TimeProvider time)
{
    private const short MemberIdRequiredVersion = 4;

    public CoordinatorResult<JoinGroupResponse> Join(RequestContext context, ConsumerGroup group, JoinGroupRequest request)
    {
        static CoordinatorResult<JoinGroupResponse> Error(ErrorCode error, string memberId = "") =>
            CoordinatorResult.None.With(new JoinGroupResponse { ErrorCode = (short)error, MemberId = memberId, ProtocolName = "" });
        bool isNew = request.MemberId.Length == 0;
        string memberId = isNew ? Guid.CreateVersion7(time.GetUtcNow()).ToString() : request.MemberId;
        if (group.IsFull(options.GroupMaxSize, memberId, request.GroupInstanceId))
            return Error(ErrorCode.GroupMaxSizeReached);
        if (request.ProtocolType != ConsumerProtocol.Type || !group.SupportsClassicProtocols(request.Protocols.Select(p => p.Name)))
            return Error(ErrorCode.InconsistentGroupProtocol);
        if (isNew && request.GroupInstanceId is null && context.Version >= MemberIdRequiredVersion)
            return Error(ErrorCode.MemberIdRequired, memberId);

        ConsumerGroupMember? known = request.GroupInstanceId is { } instance
            ? group.Static(instance)
            : group.Members.GetValueOrDefault(memberId);
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
        ConsumerGroupMember member = replaced is not null ? replaced with
        {
            Id = memberId,
            Epoch = 0,
            PreviousEpoch = 0,
            State = MemberState.Stable,
        }
            : known ?? new ConsumerGroupMember(memberId) { PreviousEpoch = 0 };
        bool downgrade = request.GroupInstanceId is not null
            && known is { Classic: null }
            && sessions.IsDowngrade(group, [known], group.Members.Count);
        var draft = new ConsumerGroupDraft(group);
        bool changed = ConsumerGroupAssignment.UpdateMember(draft, Updated(context, request, subscription, member), replaced);
        assignment.RefreshTopics(draft, changed);
        member = draft.Group.Members[memberId];
        // A classic group in which subscriptions have changed is assigned by its leader.
        if (!downgrade || !changed)
        {
            ConsumerGroupAssignment.AssignTarget(draft);
            var owned = ConsumerProtocol.PartitionsOf(topics, subscription.OwnedPartitions.Select(t => (t.Topic, t.Partitions)));
            member = ConsumerGroupAssignment.Reconcile(draft, member, owned);
        }

        var response = new JoinGroupResponse
        {
            GenerationId = member.Epoch,
            ProtocolType = ConsumerProtocol.Type,
            ProtocolName = member.Classic!.Protocol.Name,
            MemberId = memberId,
        };
        if (downgrade)
            return sessions.Downgrade(draft, [], rebalance: changed).With(response);
        return new CoordinatorResult(draft.Records)
        {
            Applied = () =>
            {
                if (replaced is not null)
                    sessions.CancelTimers(group.Id, replaced.Id);
                sessions.CancelTimers(group.Id, memberId);
                assignment.Applied(draft);
                sessions.Touch(group, member);
                sessions.WatchSync(group, member);
                return CoordinatorResult.None;
            },
        }.With(response);
    }

    public SyncGroupResponse Sync(ConsumerGroup group, SyncGroupRequest request)
    {
        ErrorCode error = Find(group, request.MemberId, request.GroupInstanceId, request.GenerationId, out ConsumerGroupMember? member);
        bool isInconsistent = (request.ProtocolType ?? ConsumerProtocol.Type) != ConsumerProtocol.Type
            || (request.ProtocolName is { } name && name != member?.Classic?.Protocol.Name);
        if (error == ErrorCode.None && isInconsistent)
            error = ErrorCode.InconsistentGroupProtocol;
        if (error == ErrorCode.None && member!.State != MemberState.UnrevokedPartitions && member.Epoch < group.Epoch)
        {
            sessions.WatchJoin(group, member);
            error = ErrorCode.RebalanceInProgress;
        }

        if (error != ErrorCode.None)
            return new SyncGroupResponse { ErrorCode = (short)error };
        sessions.CancelSync(group, member!);
        sessions.Touch(group, member!);
        return new SyncGroupResponse
        {
            ProtocolType = request.ProtocolType,
            ProtocolName = request.ProtocolName,
            Assignment = ConsumerProtocol.Write(ConsumerProtocol.AssignmentOf(topics, member!.Assigned), member.Classic!.Protocol.Metadata),
        };
    }

    public ErrorCode Heartbeat(ConsumerGroup group, HeartbeatRequest request)
    {
        ErrorCode error = Find(group, request.MemberId, request.GroupInstanceId, request.GenerationId, out ConsumerGroupMember? member);
        if (error != ErrorCode.None)
            return error;
        sessions.Touch(group, member!);
        bool hasNextStep = member!.Epoch < group.Epoch || member.State == MemberState.UnrevokedPartitions
            || (member.State == MemberState.UnreleasedPartitions && !group.WaitsForOthers(member));
        if (!hasNextStep)
            return ErrorCode.None;
        sessions.WatchJoin(group, member);
        return ErrorCode.RebalanceInProgress;
    }

    /// <summary>An administrator may remove members of either protocol.</summary>
    public CoordinatorResult<List<ErrorCode>> Leave(ConsumerGroup group, List<LeaveGroupRequest.Member> leaving)
    {
        HashSet<ConsumerGroupMember> left = [];
        List<ErrorCode> errors = leaving.ConvertAll(one =>
        {
            ConsumerGroupMember? member = one.GroupInstanceId is { } instance
                ? group.Static(instance)
                : group.Members.GetValueOrDefault(one.MemberId);
            if (member is null)
                return ErrorCode.UnknownMemberId;
            if (one.MemberId.Length > 0 && member.Id != one.MemberId)
                return ErrorCode.FencedInstanceId;
            left.Add(member);
            return ErrorCode.None;
        });
        return sessions.Fence(group, left).With(errors);
    }

    private static ErrorCode Find(ConsumerGroup group, string memberId, string? instanceId, int generation, out ConsumerGroupMember? member)
    {
        member = instanceId is null ? group.Members.GetValueOrDefault(memberId) : group.Static(instanceId);
        return member is null ? ErrorCode.UnknownMemberId
            : member.Id != memberId ? ErrorCode.FencedInstanceId
            : member.Classic is null ? ErrorCode.UnknownMemberId
            : member.ValidateEpoch(generation, isTransactional: false);
    }

    private static ConsumerGroupMember Updated(
        RequestContext context, JoinGroupRequest request, ConsumerProtocolSubscription subscription,
        ConsumerGroupMember member) => member with
    {
        InstanceId = request.GroupInstanceId ?? member.InstanceId,
        RackId = subscription.RackId ?? member.RackId,
        RebalanceTimeoutMs = ClassicGroupHandler.RebalanceTimeoutOf(request),
        Topics = ImmutableSortedSet.CreateRange(StringComparer.Ordinal, subscription.Topics),
        TopicRegex = null,
        ClientId = context.ClientId,
        ClientHost = context.ClientHost,
        Classic = new ClassicMemberMetadata(request.SessionTimeoutMs, ClassicGroupHandler.ProtocolsOf(request)),
    };
}
