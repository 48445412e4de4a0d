using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;
using static KafkaEventSourcing.Embedded.Kafka.Coordinator.GroupCoordinatorRecordHelpers;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>ConsumerGroupHeartbeat (KIP-848): how members join a consumer group, follow it, and leave it.</summary>
internal sealed class ConsumerGroupHandler(
    GroupTable groups,
    ConsumerGroupAssignment assignment,
    ConsumerGroupSessions sessions,
    ClassicGroupRebalance classicGroups,
    EmbeddedKafkaOptions options,
    GroupConfigs configs,
    TopicStore topics,
    TimeProvider time)
{
    private const short ClientIdsVersion = 1;

    /// <summary>The refusal of a request that is wrong, whatever the group; null of one that is not.</summary>
    public static ConsumerGroupHeartbeatResponse? Validate(RequestContext context, ConsumerGroupHeartbeatRequest request)
    {
        ConsumerGroupHeartbeatResponse Invalid(string message, ErrorCode error = ErrorCode.InvalidRequest) =>
            Refuse(request, error, message);
        if (request.GroupId.Trim().Length == 0)
            return Invalid("GroupId can't be empty.");
        if (request.MemberId.Length == 0 && (context.Version >= ClientIdsVersion || request.MemberEpoch != 0))
            return Invalid("MemberId can't be empty.");
        if (request.InstanceId is { Length: 0 })
            return Invalid("InstanceId can't be empty.");
        if (request.RackId is { Length: 0 })
            return Invalid("RackId can't be empty.");
        if (request.MemberEpoch < ConsumerGroupMember.LeftForNow)
            return Invalid("MemberEpoch is invalid.");
        if (request.MemberEpoch == ConsumerGroupMember.LeftForNow && request.InstanceId is null)
            return Invalid("InstanceId can't be null.");
        if (request.MemberEpoch == 0 && request.RebalanceTimeoutMs == -1)
            return Invalid("RebalanceTimeoutMs must be provided in first request.");
        if (request.MemberEpoch == 0 && request.TopicPartitions is not { Count: 0 })
            return Invalid("TopicPartitions must be empty when (re-)joining.");
        if (request.MemberEpoch == 0 && request.SubscribedTopicNames is null && request.SubscribedTopicRegex is null)
            return Invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.");
        if (request.ServerAssignor is { } assignor && !ConsumerGroupAssignment.AssignorNames.Contains(assignor))
            return Invalid($"ServerAssignor {assignor} is not supported. Supported "
                + $"assignors: {string.Join(", ", ConsumerGroupAssignment.AssignorNames)}.", ErrorCode.UnsupportedAssignor);
        try
        {
            if (request.SubscribedTopicRegex is { Length: > 0 } regex)
                _ = ConsumerGroupAssignment.TopicRegex(regex);
            return null;
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            return Invalid($"SubscribedTopicRegex `{request.SubscribedTopicRegex}` is not a valid regular expression: {wrong.Message}.",
                ErrorCode.InvalidRegularExpression);
        }
    }

    public CoordinatorResult<ConsumerGroupHeartbeatResponse> Heartbeat(RequestContext context, ConsumerGroupHeartbeatRequest request)
    {
        bool joins = request.MemberEpoch == 0;
        if (FindGroup(request, out ConsumerGroupDraft? draft, out ClassicGroup? before) is { } noGroup)
            return CoordinatorResult.None.With(noGroup);
        ConsumerGroup group = draft!.Group;
        string memberId = request.MemberId.Length > 0 ? request.MemberId : Guid.CreateVersion7(time.GetUtcNow()).ToString();
        if (joins && group.IsFull(options.GroupMaxSize, memberId, request.InstanceId))
            return CoordinatorResult.None.With(Refuse(request, ErrorCode.GroupMaxSizeReached,
                $"The consumer group has reached its maximum capacity of {options.GroupMaxSize} members."));
        if (FindMember(group, memberId, request, out ConsumerGroupMember? member, out ConsumerGroupMember? replaced) is { } refused)
            return CoordinatorResult.None.With(refused);

        bool changed = ConsumerGroupAssignment.UpdateMember(draft, Updated(context, request, member!), replaced);
        assignment.RefreshTopics(draft, changed);
        ConsumerGroupAssignment.AssignTarget(draft);

        IReadOnlySet<AssignedPartition>? owned = request.TopicPartitions?.SelectMany(t =>
            t.Partitions.Select(p => new AssignedPartition(t.TopicId, p))).ToHashSet();
        ConsumerGroupMember updated = draft.Group.Members[memberId];
        ConsumerGroupMember next = ConsumerGroupAssignment.Reconcile(draft, updated, owned);
        bool saysAll = request.RebalanceTimeoutMs != -1 && request.TopicPartitions is not null
            && (request.SubscribedTopicNames is not null || request.SubscribedTopicRegex is not null);
        bool tell = joins || saysAll || !next.Assigned.SetEquals(updated.Assigned);
        return new CoordinatorResult(draft.Records)
        {
            Applied = () =>
            {
                Applied(draft, before, replaced, next);
                return CoordinatorResult.None;
            },
        }.With(new ConsumerGroupHeartbeatResponse
        {
            MemberId = memberId,
            MemberEpoch = next.Epoch,
            HeartbeatIntervalMs = (int)configs.HeartbeatIntervalOf(group.Id).TotalMilliseconds,
            Assignment = !tell ? null : new ConsumerGroupHeartbeatResponse.AssignmentItem
            {
                TopicPartitions =
                [
                    .. next.Assigned.GroupBy(p => p.TopicId).Select(g => new ConsumerGroupHeartbeatResponse.AssignmentItem.TopicItem
                    {
                        TopicId = g.Key,
                        Partitions = [.. g.Select(p => p.Partition).Order()],
                    }),
                ],
            },
        });
    }

    public CoordinatorResult<ConsumerGroupHeartbeatResponse> Leave(ConsumerGroupHeartbeatRequest request)
    {
        CoordinatorResult<ConsumerGroupHeartbeatResponse> No(ErrorCode error, string message) =>
            CoordinatorResult.None.With(Refuse(request, error, message));
        if (groups.Find(request.GroupId) is not ConsumerGroup group)
            return No(ErrorCode.GroupIdNotFound, $"Consumer group {request.GroupId} not found.");
        ConsumerGroupMember? member = request.InstanceId is { } instance
            ? group.Static(instance)
            : group.Members.GetValueOrDefault(request.MemberId);
        if (member is null)
            return No(ErrorCode.UnknownMemberId, $"Member {request.MemberId} is not a member of group {group.Id}.");
        if (member.Id != request.MemberId)
            return No(ErrorCode.FencedInstanceId, $"Static member {request.MemberId} was fenced by member {member.Id}.");
        CoordinatorResult left = request.MemberEpoch == ConsumerGroupMember.LeftForNow
            ? new CoordinatorResult(
                [AssignmentRecord(group.Id, member with { Epoch = ConsumerGroupMember.LeftForNow, PendingRevocation = [] })])
            : sessions.Fence(group, member);
        return left.With(new ConsumerGroupHeartbeatResponse { MemberId = request.MemberId, MemberEpoch = request.MemberEpoch });
    }

    private static ConsumerGroupHeartbeatResponse Refuse(ConsumerGroupHeartbeatRequest request, ErrorCode error, string message) =>
        new() { ErrorCode = (short)error, ErrorMessage = message, MemberId = request.MemberId };

    private void Applied(ConsumerGroupDraft draft, ClassicGroup? before, ConsumerGroupMember? replaced, ConsumerGroupMember member)
    {
        var group = (ConsumerGroup)groups.Find(draft.Group.Id)!;
        if (before is not null)
        {
            classicGroups.Retire(before);
            sessions.TouchAll(group);
        }

        if (replaced is not null)
            sessions.CancelTimers(group.Id, replaced.Id);
        assignment.Applied(draft);
        sessions.Touch(group, member);
        sessions.WatchRevocation(group, member);
        sessions.CancelClassicTimers(group.Id, member.Id);
    }

    // The group that it goes to, made anew or from a classic one by the records when it joins; a refusal when there is none.
    private ConsumerGroupHeartbeatResponse? FindGroup(
        ConsumerGroupHeartbeatRequest request, out ConsumerGroupDraft? draft, out ClassicGroup? before)
    {
        Group? found = groups.Find(request.GroupId);
        before = found as ClassicGroup;
        draft = found is ConsumerGroup known ? new ConsumerGroupDraft(known) : null;
        if (draft is not null)
            return null;
        if (request.MemberEpoch != 0)
        {
            string message = found is null
                ? $"Consumer group {request.GroupId} not found."
                : $"Group {request.GroupId} is not a consumer group.";
            return Refuse(request, ErrorCode.GroupIdNotFound, message);
        }

        ConsumerGroup? upgraded = null;
        if (before is { IsEmpty: false })
        {
            upgraded = Upgrade(before, out string obstacle);
            if (upgraded is null)
                return Refuse(request, ErrorCode.GroupIdNotFound,
                    $"Cannot upgrade classic group {before.Id} to consumer group because {obstacle}.");
        }

        draft = new ConsumerGroupDraft(new ConsumerGroup(request.GroupId));
        // Offsets stay; and a group without members may always change its protocol.
        if (before is not null)
            draft.AddRange([.. before.Tombstones()]);
        draft.AddRange(upgraded is not null ? [.. CreationRecords(upgraded)] : [EpochRecord(request.GroupId, 0)]);
        return null;
    }

    // The consumer group that a classic one becomes (KIP-848, "Online Migration"); null, and why, when it cannot be one.
    private ConsumerGroup? Upgrade(ClassicGroup classic, out string obstacle)
    {
        obstacle = !options.ConsumerGroupMigrationPolicy.HasFlag(ConsumerGroupMigrationPolicy.Upgrade) ? "online upgrade is disabled"
            : classic.AgreedType != ConsumerProtocol.Type ? "the group does not use the consumer embedded protocol"
            : classic.Members.Count > options.GroupMaxSize ? "the group size exceeds the consumer group maximum size"
            : "";
        if (obstacle.Length > 0)
            return null;
        try
        {
            obstacle = "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor "
                + "before re-attempting the upgrade";
            return ConsumerGroup.FromClassicGroup(classic, topics);
        }
        catch (MalformedRequestException)
        {
            obstacle = "the embedded consumer protocol is malformed";
            return null;
        }
    }

    // The member that sends this; a refusal when it is unknown, fenced, or not allowed yet.
    private static ConsumerGroupHeartbeatResponse? FindMember(ConsumerGroup group, string memberId, ConsumerGroupHeartbeatRequest request,
        out ConsumerGroupMember? member, out ConsumerGroupMember? replaced)
    {
        bool joins = request.MemberEpoch == 0;
        replaced = null;
        member = group.Members.GetValueOrDefault(memberId);
        if (request.InstanceId is { } instance)
        {
            ConsumerGroupMember? known = group.Static(instance);
            if (known is null && !joins)
                return Refuse(request, ErrorCode.UnknownMemberId, $"Instance id {instance} is unknown.");
            if (known is not null && known.Id != memberId)
            {
                if (!joins)
                    return Refuse(request, ErrorCode.FencedInstanceId,
                        $"Static member {memberId} with instance id {instance} was fenced by member {known.Id}.");
                if (known.Classic is null && known.Epoch != ConsumerGroupMember.LeftForNow)
                    return Refuse(request, ErrorCode.UnreleasedInstanceId,
                        $"Static member {memberId} with instance id {instance} cannot join the group because the instance id is owned "
                            + $"by {known.Id} member.");
                replaced = known;
                member = known with { Id = memberId, Epoch = 0, PreviousEpoch = 0, State = MemberState.Stable };
                return null;
            }

            if (known is { Epoch: ConsumerGroupMember.LeftForNow } && joins)
                member = known with { Epoch = 0, PreviousEpoch = 0 };
        }

        if (member is null)
        {
            if (!joins)
                return Refuse(request, ErrorCode.UnknownMemberId, $"Member {memberId} is not a member of group {group.Id}.");
            member = new ConsumerGroupMember(memberId) { PreviousEpoch = 0 };
            return null;
        }

        if (joins || request.MemberEpoch == member.Epoch)
            return null;
        // A member whose answer was lost may come with the epoch before, if what it owns is part of what it was given.
        ConsumerGroupMember present = member;
        bool lostAnswer = request.MemberEpoch == member.PreviousEpoch && request.TopicPartitions is { } owned
            && owned.TrueForAll(t => t.Partitions.TrueForAll(p => present.Assigned.Contains(new AssignedPartition(t.TopicId, p))));
        return lostAnswer
            ? null
            : Refuse(request, ErrorCode.FencedMemberEpoch,
                $"The consumer group member has a {(request.MemberEpoch > member.Epoch ? "greater" : "smaller")} member epoch "
                    + $"({request.MemberEpoch}) than the one known by the group coordinator ({member.Epoch}). The member must abandon all "
                    + $"its partitions and rejoin.");
    }

    private static ConsumerGroupMember Updated(RequestContext context, ConsumerGroupHeartbeatRequest request,
        ConsumerGroupMember member) => member with
    {
        InstanceId = request.InstanceId ?? member.InstanceId,
        RackId = request.RackId ?? member.RackId,
        RebalanceTimeoutMs = request.RebalanceTimeoutMs == -1 ? member.RebalanceTimeoutMs : request.RebalanceTimeoutMs,
        Assignor = request.ServerAssignor ?? member.Assignor,
        Topics = request.SubscribedTopicNames is { } names ? ImmutableSortedSet.CreateRange(StringComparer.Ordinal, names) : member.Topics,
        TopicRegex = request.SubscribedTopicRegex ?? member.TopicRegex,
        ClientId = context.ClientId,
        ClientHost = context.ClientHost,
        Classic = null, // who sends this heartbeat has changed to the consumer protocol
    };
}
