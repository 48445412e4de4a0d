using System.Collections.Immutable;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848).</summary>
internal sealed partial class GroupCoordinator
{
    private const short ClientIdsVersion = 1;
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
            MemberType = 1,
        };
    }

    private static ErrorCode CheckMemberEpoch(ConsumerGroup group, string memberId, int epoch, bool isTransactional, short version)
    {
        if (epoch < 0 && (group.IsEmpty || (isTransactional && memberId.Length == 0)))
            return ErrorCode.None;
        return !group.Members.TryGetValue(memberId, out ConsumerGroupMember? member) ? ErrorCode.UnknownMemberId
            : version < MemberEpochVersion ? ErrorCode.UnsupportedVersion
            : member.Epoch == epoch ? ErrorCode.None
            : isTransactional ? ErrorCode.IllegalGeneration : ErrorCode.StaleMemberEpoch;
    }

    private ConsumerGroupHeartbeatResponse HeartbeatOf(RequestContext context, ConsumerGroupHeartbeatRequest request)
    {
        bool joins = request.MemberEpoch == 0;
        Group? found = _groups.GetValueOrDefault(request.GroupId);
        if (found is ClassicGroup { IsEmpty: true, Pending.Count: 0 } classic && joins)
        {
            // An empty group may change its protocol; its offsets stay.
            Commit([.. GroupTombstones(classic)]);
            found = null;
        }

        if (found is not null and not ConsumerGroup)
            return Refuse(request, ErrorCode.GroupIdNotFound, $"Group {request.GroupId} is not a consumer group.");
        if (found is null && !joins)
            return Refuse(request, ErrorCode.GroupIdNotFound, $"Consumer group {request.GroupId} not found.");
        ConsumerGroup group = found as ConsumerGroup ?? new ConsumerGroup(request.GroupId);
        string memberId = request.MemberId.Length > 0 ? request.MemberId : Guid.CreateVersion7(_broker.Time.GetUtcNow()).ToString();
        if (joins && group.Members.Count >= _broker.Options.GroupMaxSize && !group.Members.ContainsKey(memberId) && (request.InstanceId is null || group.Static(request.InstanceId) is null))
            return Refuse(request, ErrorCode.GroupMaxSizeReached, $"The consumer group has reached its maximum capacity of {_broker.Options.GroupMaxSize} members.");
        if (FindMember(group, memberId, request, out ConsumerGroupMember? member, out ConsumerGroupMember? replaced) is { } refused)
            return refused;

        var records = new List<CoordinatorRecord>();
        if (found is null)
            records.Add(EpochRecord(group.Id, 0));
        if (replaced is not null)
            records.AddRange(MemberTombstones(group.Id, replaced.Id));
        ConsumerGroupMember updated = Updated(context, request, member!);
        bool changed = !group.Members.TryGetValue(memberId, out ConsumerGroupMember? before) || !SameSubscription(before, updated);
        if (!group.Members.ContainsKey(memberId) || !SameMetadata(before!, updated))
            records.Add(MemberRecord(group.Id, updated));
        if (replaced is not null)
        {
            changed = !SameSubscription(replaced, updated);
            records.Add(TargetRecord(group.Id, memberId, group.TargetOf(replaced.Id)));
        }

        if (!group.Members.ContainsKey(memberId) || replaced is not null)
            records.Add(AssignmentRecord(group.Id, updated));
        Commit(records);
        group = (ConsumerGroup)_groups[request.GroupId];
        if (replaced is not null)
            _timer.Cancel(TimerKey("session", group.Id, replaced.Id));
        RefreshTopics(group, changed);
        AssignTarget(group);

        IReadOnlySet<AssignedPartition>? owned = request.TopicPartitions?.SelectMany(t => t.Partitions.Select(p => new AssignedPartition(t.TopicId, p))).ToHashSet();
        updated = group.Members[memberId];
        ConsumerGroupMember next = Reconciliation.Next(group, updated, owned);
        if (!next.HasSameAssignment(updated))
            Commit([AssignmentRecord(group.Id, next)]);
        Touch(group, next);
        WatchRevocation(group, next);
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
                if (known.Epoch != ConsumerGroupMember.LeftForNow)
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
        SameSubscription(a, b) && a.InstanceId == b.InstanceId && a.RackId == b.RackId && a.RebalanceTimeoutMs == b.RebalanceTimeoutMs && a.ClientId == b.ClientId && a.ClientHost == b.ClientHost;

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
    };

    // What the members subscribe to, as it is now; a change starts a new epoch.
    private void RefreshTopics(ConsumerGroup group, bool membersChanged)
    {
        long version = _broker.Topics.Version;
        if (!membersChanged && version == group.TopicsVersion)
            return;
        var records = new List<CoordinatorRecord>();
        string[] regexes = [.. group.Members.Values.Select(m => m.TopicRegex).OfType<string>().Where(r => r.Length > 0).Distinct()];
        foreach (string regex in regexes)
        {
            Regex matcher = TopicRegex(regex);
            string[] matched = [.. _broker.Topics.All.Select(t => t.Name).Where(n => matcher.IsMatch(n))];
            if (!group.Regexes.TryGetValue(regex, out IReadOnlyList<string>? known) || !known.SequenceEqual(matched))
                records.Add(new CoordinatorRecord(new ConsumerGroupRegularExpressionKey { GroupId = group.Id, RegularExpression = regex }, new ConsumerGroupRegularExpressionValue { Topics = [.. matched], Version = version, Timestamp = Now() }));
        }

        records.AddRange(group.Regexes.Keys.Except(regexes).Select(r => new CoordinatorRecord(new ConsumerGroupRegularExpressionKey { GroupId = group.Id, RegularExpression = r }, null)));
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
        group.TopicsVersion = version;
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
            new CoordinatorRecord(new ConsumerGroupTargetAssignmentMetadataKey { GroupId = group.Id }, new ConsumerGroupTargetAssignmentMetadataValue { AssignmentEpoch = group.Epoch }),
        ]);
    }

    private ConsumerGroupHeartbeatResponse LeaveConsumerGroup(ConsumerGroupHeartbeatRequest request)
    {
        if (_groups.GetValueOrDefault(request.GroupId) is not ConsumerGroup group)
            return Refuse(request, ErrorCode.GroupIdNotFound, $"Consumer group {request.GroupId} not found.");
        ConsumerGroupMember? member = request.InstanceId is { } instance ? group.Static(instance) : group.Members.GetValueOrDefault(request.MemberId);
        if (member is null)
            return Refuse(request, ErrorCode.UnknownMemberId, $"Member {request.MemberId} is not a member of group {group.Id}.");
        if (member.Id != request.MemberId)
            return Refuse(request, ErrorCode.FencedInstanceId, $"Static member {request.MemberId} was fenced by member {member.Id}.");
        if (request.MemberEpoch == ConsumerGroupMember.LeftForNow)
            Commit([AssignmentRecord(group.Id, member with { Epoch = ConsumerGroupMember.LeftForNow, PendingRevocation = [] })]);
        else
            Fence(group, member);
        return new ConsumerGroupHeartbeatResponse { MemberId = request.MemberId, MemberEpoch = request.MemberEpoch };
    }

    private ErrorCode LeaveConsumerGroup(ConsumerGroup group, LeaveGroupRequest.Member leaving)
    {
        ConsumerGroupMember? member = leaving.GroupInstanceId is { } instance ? group.Static(instance) : group.Members.GetValueOrDefault(leaving.MemberId);
        if (member is null)
            return ErrorCode.UnknownMemberId;
        if (leaving.MemberId.Length > 0 && member.Id != leaving.MemberId)
            return ErrorCode.FencedInstanceId;
        Fence(group, member);
        return ErrorCode.None;
    }

    // The member is out; the others get its partitions with their next heartbeats.
    private void Fence(ConsumerGroup group, ConsumerGroupMember member)
    {
        _timer.Cancel(TimerKey("session", group.Id, member.Id));
        _timer.Cancel(TimerKey("revocation", group.Id, member.Id));
        Commit([.. MemberTombstones(group.Id, member.Id), EpochRecord(group.Id, group.Epoch + 1)]);
        group.StateTimestamp = Now();
    }

    private void Touch(ConsumerGroup group, ConsumerGroupMember member)
    {
        string id = member.Id;
        _timer.Schedule(TimerKey("session", group.Id, id), _broker.GroupConfigs.SessionTimeoutOf(group.Id), () => Expire(group.Id, id));
    }

    private void WatchRevocation(ConsumerGroup group, ConsumerGroupMember member)
    {
        string key = TimerKey("revocation", group.Id, member.Id);
        if (member.State != MemberState.UnrevokedPartitions)
            _timer.Cancel(key);
        else if (!_timer.IsScheduled(key))
            _timer.Schedule(key, TimeSpan.FromMilliseconds(Math.Max(0, member.RebalanceTimeoutMs)), () => Expire(group.Id, member.Id));
    }

    private void Expire(string groupId, string memberId)
    {
        if (_groups.GetValueOrDefault(groupId) is ConsumerGroup group && group.Members.TryGetValue(memberId, out ConsumerGroupMember? member))
            Fence(group, member);
    }
}
