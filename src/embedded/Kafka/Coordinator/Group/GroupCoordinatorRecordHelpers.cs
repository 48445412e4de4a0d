using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Makes the records of <c>__consumer_offsets</c>, in Kafka's format.</summary>
internal static class GroupCoordinatorRecordHelpers
{
    public static CoordinatorRecord EpochRecord(string group, int epoch) =>
        new(new ConsumerGroupMetadataKey { GroupId = group }, new ConsumerGroupMetadataValue { Epoch = epoch });

    public static CoordinatorRecord MemberRecord(string group, ConsumerGroupMember member) => new(
        new ConsumerGroupMemberMetadataKey { GroupId = group, MemberId = member.Id },
        new ConsumerGroupMemberMetadataValue
        {
            InstanceId = member.InstanceId,
            RackId = member.RackId,
            ClientId = member.ClientId,
            ClientHost = member.ClientHost,
            SubscribedTopicNames = [.. member.Topics],
            SubscribedTopicRegex = member.TopicRegex,
            RebalanceTimeoutMs = member.RebalanceTimeoutMs,
            ServerAssignor = member.Assignor,
            ClassicMember = member.Classic is not { } classic ? null : new ConsumerGroupMemberMetadataValue.ClassicMemberItem
            {
                SessionTimeoutMs = classic.SessionTimeoutMs,
                SupportedProtocols = [.. classic.SupportedProtocols.Select(p =>
                    new ConsumerGroupMemberMetadataValue.ClassicMemberItem.ClassicProtocol { Name = p.Name, Metadata = p.Metadata })],
            },
        });

    public static CoordinatorRecord TargetEpochRecord(string group, int epoch) =>
        new(new ConsumerGroupTargetAssignmentMetadataKey { GroupId = group },
            new ConsumerGroupTargetAssignmentMetadataValue { AssignmentEpoch = epoch });

    public static CoordinatorRecord TargetRecord(string group, string member, IEnumerable<AssignedPartition> target) => new(
        new ConsumerGroupTargetAssignmentMemberKey { GroupId = group, MemberId = member },
        new ConsumerGroupTargetAssignmentMemberValue
        {
            TopicPartitions = [.. target.GroupBy(p => p.TopicId).Select(g =>
                new ConsumerGroupTargetAssignmentMemberValue.TopicItem
                {
                    TopicId = g.Key, Partitions = [.. g.Select(p => p.Partition).Order()],
                })],
        });

    public static CoordinatorRecord AssignmentRecord(string group, ConsumerGroupMember member) => new(
        new ConsumerGroupCurrentMemberAssignmentKey { GroupId = group, MemberId = member.Id },
        new ConsumerGroupCurrentMemberAssignmentValue
        {
            MemberEpoch = member.Epoch,
            PreviousMemberEpoch = member.PreviousEpoch,
            State = (sbyte)member.State,
            AssignedPartitions = [.. member.Assigned.GroupBy(p => p.TopicId).Select(g =>
                new ConsumerGroupCurrentMemberAssignmentValue.AssignedItem
                {
                    TopicId = g.Key, Partitions = [.. g.Select(p => p.Partition).Order()],
                })],
            PartitionsPendingRevocation = [.. member.PendingRevocation.GroupBy(p => p.TopicId).Select(g =>
                new ConsumerGroupCurrentMemberAssignmentValue.PendingItem
                {
                    TopicId = g.Key, Partitions = [.. g.Select(p => p.Partition).Order()],
                })],
        });

    public static IEnumerable<CoordinatorRecord> MemberTombstones(string group, string member) =>
    [
        new(new ConsumerGroupCurrentMemberAssignmentKey { GroupId = group, MemberId = member }, null),
        new(new ConsumerGroupTargetAssignmentMemberKey { GroupId = group, MemberId = member }, null),
        new(new ConsumerGroupMemberMetadataKey { GroupId = group, MemberId = member }, null),
    ];

    public static CoordinatorRecord RegexTombstone(string group, string regex) =>
        new(new ConsumerGroupRegularExpressionKey { GroupId = group, RegularExpression = regex }, null);

    public static IEnumerable<CoordinatorRecord> ConsumerTombstones(ConsumerGroup group) =>
    [
        .. group.Members.Keys.SelectMany(m => MemberTombstones(group.Id, m)),
        .. group.Regexes.Keys.Select(r => RegexTombstone(group.Id, r)),
        new(new ConsumerGroupTargetAssignmentMetadataKey { GroupId = group.Id }, null),
        new(new ConsumerGroupPartitionMetadataKey { GroupId = group.Id }, null),
        new(new ConsumerGroupMetadataKey { GroupId = group.Id }, null),
    ];

    /// <summary>The group as it is now.</summary>
    public static CoordinatorRecord GroupMetadataRecord(ClassicGroup group) => new(
        new GroupMetadataKey { Group = group.Id },
        new GroupMetadataValue
        {
            ProtocolType = group.AgreedType ?? "",
            Generation = group.Generation,
            Protocol = group.Protocol,
            Leader = group.Leader,
            CurrentStateTimestamp = group.StateTimestamp,
            Members = [.. group.Members.Values.Select(m => new GroupMetadataValue.Member
            {
                MemberId = m.Id,
                GroupInstanceId = m.InstanceId,
                ClientId = m.ClientId,
                ClientHost = m.ClientHost,
                RebalanceTimeout = (int)m.RebalanceTimeout.TotalMilliseconds,
                SessionTimeout = (int)m.SessionTimeout.TotalMilliseconds,
                Subscription = m.MetadataOf(group.Protocol),
                Assignment = m.Assignment,
            })],
        });

    /// <summary>All that makes a consumer group that is not in the log yet.</summary>
    public static IEnumerable<CoordinatorRecord> CreationRecords(ConsumerGroup group) =>
    [
        .. group.Members.Values.Select(m => MemberRecord(group.Id, m)),
        EpochRecord(group.Id, group.Epoch),
        .. group.Target.Select(t => TargetRecord(group.Id, t.Key, t.Value)),
        TargetEpochRecord(group.Id, group.TargetEpoch),
        .. group.Members.Values.Select(m => AssignmentRecord(group.Id, m)),
    ];

    public static CoordinatorRecord RegexRecord(string group, string regex, IEnumerable<string> topics, long version, long now) => new(
        new ConsumerGroupRegularExpressionKey { GroupId = group, RegularExpression = regex },
        new ConsumerGroupRegularExpressionValue { Topics = [.. topics], Version = version, Timestamp = now });

    public static CoordinatorRecord PartitionMetadataRecord(string group, IEnumerable<SubscribedTopic> topics) => new(
        new ConsumerGroupPartitionMetadataKey { GroupId = group },
        new ConsumerGroupPartitionMetadataValue
        {
            Topics = [.. topics.Select(t =>
                new ConsumerGroupPartitionMetadataValue.TopicItem { TopicId = t.Id, TopicName = t.Name, NumPartitions = t.Partitions })],
        });

    public static CoordinatorRecord OffsetCommitRecord(string group, TopicPartition partition, OffsetAndMetadata offset) => new(
        OffsetCommitKeyOf(group, partition),
        new OffsetCommitValue
        {
            Offset = offset.Offset,
            LeaderEpoch = offset.LeaderEpoch,
            Metadata = offset.Metadata,
            CommitTimestamp = offset.CommitTimestamp,
            ExpireTimestamp = offset.ExpireTimestamp,
        });

    public static CoordinatorRecord OffsetCommitTombstone(string group, TopicPartition partition) =>
        new(OffsetCommitKeyOf(group, partition), null);

    private static OffsetCommitKey OffsetCommitKeyOf(string group, TopicPartition partition) =>
        new() { Group = group, Topic = partition.Topic, Partition = partition.Partition };
}
