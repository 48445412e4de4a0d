using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>What a group knew of a topic when it was last assigned.</summary>
internal readonly record struct SubscribedTopic(string Name, Guid Id, int Partitions);

/// <summary>A group of the consumer protocol (KIP-848): the broker assigns, members follow heartbeat by heartbeat.</summary>
internal sealed class ConsumerGroup(string id) : Group(id)
{
    public override string Type => "consumer";

    public override string ProtocolType => ConsumerProtocol.Type;

    public override bool IsEmpty => Members.Count == 0;

    /// <summary>Counts changes of members, subscriptions and topics.</summary>
    public int Epoch { get; set; }

    /// <summary>The group epoch that the target assignment was made for.</summary>
    public int TargetEpoch { get; set; }

    public Dictionary<string, ConsumerGroupMember> Members { get; } = [];

    public Dictionary<string, ImmutableHashSet<AssignedPartition>> Target { get; } = [];

    /// <summary>Subscribed topics by name.</summary>
    public Dictionary<string, SubscribedTopic> Topics { get; set; } = [];

    /// <summary>The topics that regular expressions of members match.</summary>
    public Dictionary<string, IReadOnlyList<string>> Regexes { get; } = [];

    /// <summary>The version of the broker's topics that <see cref="Topics"/> and <see cref="Regexes"/> were made from; not kept.</summary>
    public long TopicsVersion { get; set; } = -1;

    public override string StateName =>
        Members.Count == 0 ? "Empty"
        : Epoch > TargetEpoch ? "Assigning"
        : Members.Values.Any(m => m.Epoch != TargetEpoch || m.State != MemberState.Stable) ? "Reconciling"
        : "Stable";

    public ConsumerGroupMember? Static(string instanceId) => Members.Values.FirstOrDefault(m => m.InstanceId == instanceId);

    public IEnumerable<string> TopicsOf(ConsumerGroupMember member) =>
        member.TopicRegex is { Length: > 0 } regex ? member.Topics.Union(Regexes.GetValueOrDefault(regex) ?? []) : member.Topics;

    public override IReadOnlySet<string> SubscribedTopics() => Members.Values.SelectMany(TopicsOf).ToHashSet();

    public ImmutableHashSet<AssignedPartition> TargetOf(string memberId) => Target.GetValueOrDefault(memberId) ?? [];

    /// <summary>The assignor that most members ask for.</summary>
    public string PreferredAssignor() =>
        Members.Values.Where(m => m.Assignor is { Length: > 0 }).GroupBy(m => m.Assignor!).OrderByDescending(g => g.Count()).ThenBy(g =>
            g.Key, StringComparer.Ordinal).FirstOrDefault()?.Key ?? UniformAssignor.Name;

    /// <summary>Whether there is no place for a member that is not in it yet.</summary>
    public bool IsFull(int maxSize, string memberId, string? instanceId) =>
        Members.Count >= maxSize && !Members.ContainsKey(memberId) && (instanceId is null || Static(instanceId) is null);

    /// <summary>Whether one of the protocols is common to all members of the classic protocol.</summary>
    public bool SupportsClassicProtocols(IEnumerable<string> protocols) =>
        protocols.Any(name => Members.Values.All(m => m.Classic is not { } classic || classic.SupportedProtocols.Any(p => p.Name == name)));

    /// <summary>Whether somebody else still has a partition that the member waits for.</summary>
    public bool WaitsForOthers(ConsumerGroupMember member) =>
        TargetOf(member.Id).Except(member.Assigned).Any(p => IsHeldByAnother(member.Id, p));

    /// <summary>Whether somebody else still has the partition.</summary>
    public bool IsHeldByAnother(string memberId, AssignedPartition partition)
    {
        foreach (ConsumerGroupMember other in Members.Values)
        {
            if (other.Id != memberId && (other.Assigned.Contains(partition) || other.PendingRevocation.Contains(partition)))
                return true;
        }

        return false;
    }

    public override bool CanBeForgotten => true;

    public override ErrorCode ValidateOffsetCommit(string memberId, string? instanceId, int generation, bool isTransactional, short version)
    {
        const short memberEpochVersion = 9;
        if (generation < 0 && (IsEmpty || (isTransactional && memberId.Length == 0)))
            return ErrorCode.None;
        return !Members.TryGetValue(memberId, out ConsumerGroupMember? member) ? ErrorCode.UnknownMemberId
            : member.Classic is null && version < memberEpochVersion ? ErrorCode.UnsupportedVersion
            : member.ValidateEpoch(generation, isTransactional);
    }

    public override ErrorCode ValidateOffsetFetch(string? memberId, int memberEpoch) => memberId is null && memberEpoch < 0 ? ErrorCode.None
        : Members.GetValueOrDefault(memberId ?? "") is { } member ? member.ValidateEpoch(memberEpoch, isTransactional: false)
        : ErrorCode.UnknownMemberId;

    public override IEnumerable<CoordinatorRecord> Tombstones() => GroupCoordinatorRecordHelpers.ConsumerTombstones(this);

    /// <summary>A copy on which records can be tried before they are written.</summary>
    public ConsumerGroup Copy()
    {
        var copy = new ConsumerGroup(Id)
        {
            Epoch = Epoch,
            TargetEpoch = TargetEpoch,
            Topics = Topics,
            TopicsVersion = TopicsVersion,
            StateTimestamp = StateTimestamp,
        };
        foreach ((string id, ConsumerGroupMember member) in Members)
            copy.Members.Add(id, member);
        foreach ((string id, ImmutableHashSet<AssignedPartition> target) in Target)
            copy.Target.Add(id, target);
        foreach ((string regex, IReadOnlyList<string> topics) in Regexes)
            copy.Regexes.Add(regex, topics);
        return copy;
    }

    /// <summary>Applies a record of this group, or its tombstone.</summary>
    public void Replay(IKafkaRecord key, IKafkaRecord? value)
    {
        switch (key, value)
        {
            case (ConsumerGroupMetadataKey, ConsumerGroupMetadataValue epoch):
                Epoch = epoch.Epoch;
                break;
            case (ConsumerGroupPartitionMetadataKey, ConsumerGroupPartitionMetadataValue topics):
                Topics = topics.Topics.ToDictionary(t => t.TopicName, t => new SubscribedTopic(t.TopicName, t.TopicId, t.NumPartitions));
                break;
            case (ConsumerGroupTargetAssignmentMetadataKey, ConsumerGroupTargetAssignmentMetadataValue epoch):
                TargetEpoch = epoch.AssignmentEpoch;
                break;
            case (ConsumerGroupTargetAssignmentMemberKey of, ConsumerGroupTargetAssignmentMemberValue target):
                Target[of.MemberId] = [.. target.TopicPartitions.SelectMany(t =>
                    t.Partitions.Select(p => new AssignedPartition(t.TopicId, p)))];
                break;
            case (ConsumerGroupTargetAssignmentMemberKey of, null):
                Target.Remove(of.MemberId);
                break;
            case (ConsumerGroupRegularExpressionKey of, ConsumerGroupRegularExpressionValue regex):
                Regexes[of.RegularExpression] = regex.Topics;
                break;
            case (ConsumerGroupRegularExpressionKey of, null):
                Regexes.Remove(of.RegularExpression);
                break;
            case (ConsumerGroupMemberMetadataKey of, ConsumerGroupMemberMetadataValue metadata):
                ReplayMember(of.MemberId, metadata);
                break;
            case (ConsumerGroupMemberMetadataKey of, null):
                Members.Remove(of.MemberId);
                break;
            case (ConsumerGroupCurrentMemberAssignmentKey of, ConsumerGroupCurrentMemberAssignmentValue assignment):
                ReplayAssignment(of.MemberId, assignment);
                break;
            case (ConsumerGroupCurrentMemberAssignmentKey of, null) when Members.TryGetValue(of.MemberId, out ConsumerGroupMember? member):
                Members[of.MemberId] = member with { Epoch = ConsumerGroupMember.Left, Assigned = [], PendingRevocation = [] };
                break;
        }
    }

    /// <summary>
    /// The consumer group that a classic one becomes: everybody keeps what the last generation gave it. Null when an assignor of its own
    /// put data of its own with it.
    /// </summary>
    /// <exception cref="MalformedRequestException">What members said of themselves cannot be read.</exception>
    public static ConsumerGroup? FromClassicGroup(ClassicGroup classic, TopicStore topics)
    {
        var group = new ConsumerGroup(classic.Id) { Epoch = classic.Generation, TargetEpoch = classic.Generation };
        foreach (ClassicGroupMember member in classic.Members.Values)
        {
            ConsumerProtocolAssignment assignment = member.Assignment.Length == 0
                ? new()
                : ConsumerProtocol.ReadAssignment(member.Assignment);
            if (assignment.UserData is { Length: > 0 })
                return null; // it would be lost

            ImmutableHashSet<AssignedPartition> assigned = ConsumerProtocol.PartitionsOf(topics,
                assignment.AssignedPartitions.Select(t => (t.Topic, t.Partitions)));
            group.Target[member.Id] = assigned;
            group.Members[member.Id] = MemberFrom(classic, member) with { Assigned = assigned };
        }

        return group;
    }

    private static ConsumerGroupMember MemberFrom(ClassicGroup group, ClassicGroupMember member)
    {
        ConsumerProtocolSubscription subscription = ConsumerProtocol.ReadSubscription(
            member.MetadataOf(group.Protocol ?? member.Protocols[0].Name));
        return new ConsumerGroupMember(member.Id)
        {
            Epoch = group.Generation,
            PreviousEpoch = group.Generation,
            InstanceId = member.InstanceId,
            RackId = subscription.RackId,
            ClientId = member.ClientId,
            ClientHost = member.ClientHost,
            RebalanceTimeoutMs = (int)member.RebalanceTimeout.TotalMilliseconds,
            Topics = ImmutableSortedSet.CreateRange(StringComparer.Ordinal, subscription.Topics),
            Classic = new ClassicMemberMetadata((int)member.SessionTimeout.TotalMilliseconds, member.Protocols),
        };
    }

    private void ReplayMember(string id, ConsumerGroupMemberMetadataValue value) =>
        Members[id] = (Members.GetValueOrDefault(id) ?? new ConsumerGroupMember(id)) with
        {
            InstanceId = value.InstanceId,
            RackId = value.RackId,
            ClientId = value.ClientId,
            ClientHost = value.ClientHost,
            Topics = ImmutableSortedSet.CreateRange(StringComparer.Ordinal, value.SubscribedTopicNames),
            TopicRegex = value.SubscribedTopicRegex,
            RebalanceTimeoutMs = value.RebalanceTimeoutMs,
            Assignor = value.ServerAssignor,
            Classic = value.ClassicMember is { } classic
                ? new ClassicMemberMetadata(classic.SessionTimeoutMs,
                    classic.SupportedProtocols.ConvertAll(p => (p.Name, p.Metadata.ToArray())))
                : null,
        };

    private void ReplayAssignment(string id, ConsumerGroupCurrentMemberAssignmentValue value) =>
        Members[id] = (Members.GetValueOrDefault(id) ?? new ConsumerGroupMember(id)) with
        {
            Epoch = value.MemberEpoch,
            PreviousEpoch = value.PreviousMemberEpoch,
            State = (MemberState)value.State,
            Assigned = [.. value.AssignedPartitions.SelectMany(t => t.Partitions.Select(p => new AssignedPartition(t.TopicId, p)))],
            PendingRevocation = [.. value.PartitionsPendingRevocation.SelectMany(t =>
                t.Partitions.Select(p => new AssignedPartition(t.TopicId, p)))],
        };
}
