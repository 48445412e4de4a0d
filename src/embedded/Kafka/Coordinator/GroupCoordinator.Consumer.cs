using System.Collections.Immutable;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848).</summary>
internal sealed partial class GroupCoordinator
{
    private const short ClientIdsVersion = 1;
    private const sbyte ClassicMemberType = 0;
    private const sbyte ConsumerMemberType = 1;
    private static readonly Dictionary<string, IServerAssignor> Assignors = new() { [UniformAssignor.Name] = new UniformAssignor(), [RangeAssignor.Name] = new RangeAssignor() };

    public ConsumerGroupHeartbeatResponse Heartbeat(RequestContext context, ConsumerGroupHeartbeatRequest request)
    {
        if (Validate(context, request) is { } invalid)
            return invalid;
        lock (_lock)
            return request.MemberEpoch is ConsumerGroupMember.Left or ConsumerGroupMember.LeftForNow ? LeaveConsumerGroup(request) : HeartbeatOf(context, request);
    }

    public ConsumerGroupDescribeResponse Describe(ConsumerGroupDescribeRequest request)
    {
        lock (_lock)
        {
            return new ConsumerGroupDescribeResponse
            {
                Groups = request.GroupIds.ConvertAll(id => _groups.GetValueOrDefault(id) is not ConsumerGroup group
                    ? new ConsumerGroupDescribeResponse.DescribedGroup
                    {
                        GroupId = id,
                        ErrorCode = (short)(id.Length == 0 ? ErrorCode.InvalidGroupId : ErrorCode.GroupIdNotFound),
                        ErrorMessage = _groups.ContainsKey(id) ? $"Group {id} is not a consumer group." : $"Group {id} not found.",
                    }
                    : new ConsumerGroupDescribeResponse.DescribedGroup
                    {
                        GroupId = id,
                        GroupState = group.StateName,
                        GroupEpoch = group.Epoch,
                        AssignmentEpoch = group.TargetEpoch,
                        AssignorName = group.PreferredAssignor(),
                        AuthorizedOperations = request.IncludeAuthorizedOperations ? AuthorizedOperations.Group : AuthorizedOperations.NotAsked,
                        Members = [.. group.Members.Values.Select(m => Describe(group, m))],
                    }),
            };
        }
    }

    private static ConsumerGroupHeartbeatResponse? Validate(RequestContext context, ConsumerGroupHeartbeatRequest request)
    {
        ConsumerGroupHeartbeatResponse Invalid(string message, ErrorCode error = ErrorCode.InvalidRequest) => Refuse(request, error, message);
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
        if (request.ServerAssignor is { } assignor && !Assignors.ContainsKey(assignor))
            return Invalid($"ServerAssignor {assignor} is not supported. Supported assignors: {string.Join(", ", Assignors.Keys)}.", ErrorCode.UnsupportedAssignor);
        try
        {
            if (request.SubscribedTopicRegex is { Length: > 0 } regex)
                _ = TopicRegex(regex);
            return null;
        }
        catch (Exception wrong) when (wrong is ArgumentException or NotSupportedException)
        {
            return Invalid($"SubscribedTopicRegex `{request.SubscribedTopicRegex}` is not a valid regular expression: {wrong.Message}.", ErrorCode.InvalidRegularExpression);
        }
    }

    // Kafka takes RE2's language, which needs no backtracking: no expression can make the broker think for long.
    private static Regex TopicRegex(string expression) => new($"^(?:{expression})$", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);

    private static ConsumerGroupHeartbeatResponse Refuse(ConsumerGroupHeartbeatRequest request, ErrorCode error, string message) =>
        new() { ErrorCode = (short)error, ErrorMessage = message, MemberId = request.MemberId };

    private static ConsumerGroupDescribeResponse.DescribedGroup.Member Describe(ConsumerGroup group, ConsumerGroupMember member)
    {
        string NameOf(Guid id) => group.Topics.Values.FirstOrDefault(t => t.Id == id).Name ?? "";
        return new ConsumerGroupDescribeResponse.DescribedGroup.Member
        {
            MemberId = member.Id,
            InstanceId = member.InstanceId,
            RackId = member.RackId,
            MemberEpoch = member.Epoch,
            ClientId = member.ClientId,
            ClientHost = member.ClientHost,
            SubscribedTopicNames = [.. member.Topics],
            SubscribedTopicRegex = member.TopicRegex,
            Assignment = new() { TopicPartitions = [.. member.Assigned.GroupBy(p => p.TopicId).Select(g => new ConsumerGroupDescribeResponse.DescribedGroup.Member.AssignmentItem.TopicItem { TopicId = g.Key, TopicName = NameOf(g.Key), Partitions = [.. g.Select(p => p.Partition).Order()] })] },
            TargetAssignment = new() { TopicPartitions = [.. group.TargetOf(member.Id).GroupBy(p => p.TopicId).Select(g => new ConsumerGroupDescribeResponse.DescribedGroup.Member.TargetAssignmentItem.TopicItem { TopicId = g.Key, TopicName = NameOf(g.Key), Partitions = [.. g.Select(p => p.Partition).Order()] })] },
            MemberType = member.Classic is null ? ConsumerMemberType : ClassicMemberType,
        };
    }

    private static ErrorCode CheckMemberEpoch(ConsumerGroup group, string memberId, int epoch, bool isTransactional, short version)
    {
        if (epoch < 0 && (group.IsEmpty || (isTransactional && memberId.Length == 0)))
            return ErrorCode.None;
        return !group.Members.TryGetValue(memberId, out ConsumerGroupMember? member) ? ErrorCode.UnknownMemberId
            : member.Classic is null && version < MemberEpochVersion ? ErrorCode.UnsupportedVersion
            : CheckMemberEpoch(member, epoch, isTransactional);
    }

    private static ErrorCode CheckMemberEpoch(ConsumerGroupMember member, int epoch, bool isTransactional) =>
        member.Epoch == epoch ? ErrorCode.None : isTransactional || member.Classic is not null ? ErrorCode.IllegalGeneration : ErrorCode.StaleMemberEpoch;

    private ConsumerGroupHeartbeatResponse HeartbeatOf(RequestContext context, ConsumerGroupHeartbeatRequest request)
    {
        bool joins = request.MemberEpoch == 0;
        var records = new List<CoordinatorRecord>();
        if (FindGroup(request, records, out ConsumerGroup? group, out ClassicGroup? before) is { } noGroup)
            return noGroup;
        string memberId = request.MemberId.Length > 0 ? request.MemberId : NewMemberId();
        if (joins && IsFull(group!, memberId, request.InstanceId))
            return Refuse(request, ErrorCode.GroupMaxSizeReached, $"The consumer group has reached its maximum capacity of {_broker.Options.GroupMaxSize} members.");
        if (FindMember(group!, memberId, request, out ConsumerGroupMember? member, out ConsumerGroupMember? replaced) is { } refused)
            return refused;

        records.AddRange(Changes(group!, Updated(context, request, member!), replaced, out bool changed));
        Commit(records);
        if (before is not null)
            Retire(before);
        group = (ConsumerGroup)_groups[request.GroupId];
        if (before is not null)
            TouchAll(group);
        if (replaced is not null)
            CancelTimers(group.Id, replaced.Id);
        RefreshTopics(group, changed);
        AssignTarget(group);

        IReadOnlySet<AssignedPartition>? owned = request.TopicPartitions?.SelectMany(t => t.Partitions.Select(p => new AssignedPartition(t.TopicId, p))).ToHashSet();
        ConsumerGroupMember updated = group.Members[memberId];
        ConsumerGroupMember next = Reconcile(group, updated, owned);
        Touch(group, next);
        WatchRevocation(group, next);
        CancelClassicTimers(group.Id, memberId);
        bool isFull = joins || (request.RebalanceTimeoutMs != -1 && (request.SubscribedTopicNames is not null || request.SubscribedTopicRegex is not null) && request.TopicPartitions is not null);
        bool tell = isFull || !next.Assigned.SetEquals(updated.Assigned);
        return new ConsumerGroupHeartbeatResponse
        {
            MemberId = memberId,
            MemberEpoch = next.Epoch,
            HeartbeatIntervalMs = (int)_broker.GroupConfigs.HeartbeatIntervalOf(group.Id).TotalMilliseconds,
            Assignment = !tell ? null : new ConsumerGroupHeartbeatResponse.AssignmentItem
            {
                TopicPartitions = [.. next.Assigned.GroupBy(p => p.TopicId).Select(g => new ConsumerGroupHeartbeatResponse.AssignmentItem.TopicItem { TopicId = g.Key, Partitions = [.. g.Select(p => p.Partition).Order()] })],
            },
        };
    }

    // The group that it goes to, made anew or from a classic one by the records when it joins; a refusal when there is none.
    private ConsumerGroupHeartbeatResponse? FindGroup(ConsumerGroupHeartbeatRequest request, List<CoordinatorRecord> records, out ConsumerGroup? group, out ClassicGroup? before)
    {
        Group? found = _groups.GetValueOrDefault(request.GroupId);
        (group, before) = (found as ConsumerGroup, null);
        if (group is not null)
            return null;
        if (request.MemberEpoch != 0)
            return Refuse(request, ErrorCode.GroupIdNotFound, found is null ? $"Consumer group {request.GroupId} not found." : $"Group {request.GroupId} is not a consumer group.");
        if (found is ClassicGroup { IsEmpty: false } classic)
        {
            group = Upgraded(classic, out string obstacle);
            if (group is null)
                return Refuse(request, ErrorCode.GroupIdNotFound, $"Cannot upgrade classic group {classic.Id} to consumer group because {obstacle}.");
        }

        // Offsets stay; and a group without members may always change its protocol.
        if ((before = found as ClassicGroup) is not null)
            records.AddRange(GroupTombstones(before));
        records.AddRange(group is not null ? CreationRecords(group) : [EpochRecord(request.GroupId, 0)]);
        group ??= new ConsumerGroup(request.GroupId);
        return null;
    }

    private bool IsFull(ConsumerGroup group, string memberId, string? instanceId) =>
        group.Members.Count >= _broker.Options.GroupMaxSize && !group.Members.ContainsKey(memberId) && (instanceId is null || group.Static(instanceId) is null);

    private string NewMemberId() => Guid.CreateVersion7(_broker.Time.GetUtcNow()).ToString();

    // The records of a member that is new, has changed, or comes in place of another one.
    private static List<CoordinatorRecord> Changes(ConsumerGroup group, ConsumerGroupMember updated, ConsumerGroupMember? replaced, out bool subscriptionChanged)
    {
        ConsumerGroupMember? before = replaced ?? group.Members.GetValueOrDefault(updated.Id);
        subscriptionChanged = before is null || !SameSubscription(before, updated);
        var records = new List<CoordinatorRecord>();
        if (replaced is not null)
            records.AddRange(MemberTombstones(group.Id, replaced.Id));
        if (before is null || replaced is not null || !SameMetadata(before, updated))
            records.Add(MemberRecord(group.Id, updated));
        if (replaced is not null)
            records.Add(TargetRecord(group.Id, updated.Id, group.TargetOf(replaced.Id)));
        if (before is null || replaced is not null)
            records.Add(AssignmentRecord(group.Id, updated));
        return records;
    }

    private ConsumerGroupMember Reconcile(ConsumerGroup group, ConsumerGroupMember member, IReadOnlySet<AssignedPartition>? owned)
    {
        ConsumerGroupMember next = Reconciliation.Next(group, member, owned);
        if (!next.HasSameAssignment(member))
            Commit([AssignmentRecord(group.Id, next)]);
        return next;
    }

    // The member that sends this; a refusal when it is unknown, fenced, or not allowed yet.
    private static ConsumerGroupHeartbeatResponse? FindMember(ConsumerGroup group, string memberId, ConsumerGroupHeartbeatRequest request, out ConsumerGroupMember? member, out ConsumerGroupMember? replaced)
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
                    return Refuse(request, ErrorCode.FencedInstanceId, $"Static member {memberId} with instance id {instance} was fenced by member {known.Id}.");
                if (known.Classic is null && known.Epoch != ConsumerGroupMember.LeftForNow)
                    return Refuse(request, ErrorCode.UnreleasedInstanceId, $"Static member {memberId} with instance id {instance} cannot join the group because the instance id is owned by {known.Id} member.");
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
        return lostAnswer ? null : Refuse(request, ErrorCode.FencedMemberEpoch, $"The consumer group member has a {(request.MemberEpoch > member.Epoch ? "greater" : "smaller")} member epoch ({request.MemberEpoch}) than the one known by the group coordinator ({member.Epoch}). The member must abandon all its partitions and rejoin.");
    }

    private static bool SameSubscription(ConsumerGroupMember a, ConsumerGroupMember b) => a.Topics.SetEquals(b.Topics) && (a.TopicRegex ?? "") == (b.TopicRegex ?? "") && a.Assignor == b.Assignor;

    private static bool SameMetadata(ConsumerGroupMember a, ConsumerGroupMember b) =>
        SameSubscription(a, b) && a.InstanceId == b.InstanceId && a.RackId == b.RackId && a.RebalanceTimeoutMs == b.RebalanceTimeoutMs && a.ClientId == b.ClientId && a.ClientHost == b.ClientHost && Equals(a.Classic, b.Classic);

    private static ConsumerGroupMember Updated(RequestContext context, ConsumerGroupHeartbeatRequest request, ConsumerGroupMember member) => member with
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

    // What the members subscribe to, as it is now; a change starts a new epoch. A regular expression that is new is not resolved by the heartbeat that brings it but right after it, as in Kafka: its
    // topics come with a later heartbeat than those that are named.
    private void RefreshTopics(ConsumerGroup group, bool membersChanged, bool resolvesNew = false)
    {
        long version = _broker.Topics.Version;
        // A change that is written, and the epoch for it cannot be, as on a full disk, or was not when the broker ended: the next heartbeat brings it.
        membersChanged |= group.LacksEpoch || (group.Epoch == group.TargetEpoch && group.Members.Keys.Any(m => !group.Target.ContainsKey(m)));
        if (!membersChanged && !resolvesNew && version == group.TopicsVersion)
            return;
        group.LacksEpoch = membersChanged;
        var records = new List<CoordinatorRecord>();
        string[] regexes = [.. group.Members.Values.Select(m => m.TopicRegex).OfType<string>().Where(r => r.Length > 0).Distinct()];
        foreach (string regex in regexes)
        {
            bool isNew = !group.Regexes.TryGetValue(regex, out IReadOnlyList<string>? known);
            if (isNew && !resolvesNew)
            {
                _timer.Schedule(TimerKey("regex", group.Id), TimeSpan.Zero, () => ResolveRegexes(group.Id));
                continue;
            }

            Regex matcher = TopicRegex(regex);
            string[] matched = [.. _broker.Topics.All.Select(t => t.Name).Where(n => matcher.IsMatch(n))];
            if (isNew || !known!.SequenceEqual(matched))
                records.Add(new CoordinatorRecord(new ConsumerGroupRegularExpressionKey { GroupId = group.Id, RegularExpression = regex }, new ConsumerGroupRegularExpressionValue { Topics = [.. matched], Version = version, Timestamp = Now() }));
        }

        records.AddRange(group.Regexes.Keys.Except(regexes).Select(r => RegexTombstone(group.Id, r)));
        Commit(records);
        records.Clear();
        SubscribedTopic[] topics = [.. group.SubscribedTopics().Order(StringComparer.Ordinal).Select(_broker.Topics.Find).OfType<Topic>().Select(t => new SubscribedTopic(t.Name, t.Id, t.Partitions))];
        bool topicsChanged = !group.Topics.Values.ToHashSet().SetEquals(topics);
        if (topicsChanged)
        {
            records.Add(new CoordinatorRecord(new ConsumerGroupPartitionMetadataKey { GroupId = group.Id }, new ConsumerGroupPartitionMetadataValue
            {
                Topics = [.. topics.Select(t => new ConsumerGroupPartitionMetadataValue.TopicItem { TopicId = t.Id, TopicName = t.Name, NumPartitions = t.Partitions })],
            }));
        }

        if (membersChanged || topicsChanged)
            records.Add(EpochRecord(group.Id, group.Epoch + 1));
        Commit(records);
        group.LacksEpoch = false;
        group.TopicsVersion = version;
    }

    private void ResolveRegexes(string groupId)
    {
        if (_groups.GetValueOrDefault(groupId) is ConsumerGroup group)
            RefreshTopics(group, membersChanged: false, resolvesNew: true);
    }

    private void AssignTarget(ConsumerGroup group)
    {
        if (group.Epoch <= group.TargetEpoch)
            return;
        IServerAssignor assignor = Assignors.GetValueOrDefault(group.PreferredAssignor()) ?? Assignors[UniformAssignor.Name];
        Dictionary<string, HashSet<AssignedPartition>> target = assignor.Assign(
            [.. group.Members.Values.Select(m => new AssigneeSpec(m.Id, m.InstanceId, group.TopicsOf(m).ToHashSet(), group.TargetOf(m.Id)))], group.Topics);
        Commit(
        [
            .. target.Where(t => !group.Target.TryGetValue(t.Key, out ImmutableHashSet<AssignedPartition>? known) || !known.SetEquals(t.Value)).Select(t => TargetRecord(group.Id, t.Key, t.Value)),
            TargetEpochRecord(group.Id, group.Epoch),
        ]);
    }
}
