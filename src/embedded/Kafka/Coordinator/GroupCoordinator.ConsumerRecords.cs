using System.Collections.Immutable;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The records of the consumer protocol: how they are made, and what they mean.</summary>
internal sealed partial class GroupCoordinator
{
    private static CoordinatorRecord EpochRecord(string group, int epoch) => new(new ConsumerGroupMetadataKey { GroupId = group }, new ConsumerGroupMetadataValue { Epoch = epoch });

    private static CoordinatorRecord MemberRecord(string group, ConsumerGroupMember member) => new(
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
                SupportedProtocols = [.. classic.SupportedProtocols.Select(p => new ConsumerGroupMemberMetadataValue.ClassicMemberItem.ClassicProtocol { Name = p.Name, Metadata = p.Metadata })],
            },
        });

    private static CoordinatorRecord TargetEpochRecord(string group, int epoch) =>
        new(new ConsumerGroupTargetAssignmentMetadataKey { GroupId = group }, new ConsumerGroupTargetAssignmentMetadataValue { AssignmentEpoch = epoch });

    private static CoordinatorRecord TargetRecord(string group, string member, IEnumerable<AssignedPartition> target) => new(
        new ConsumerGroupTargetAssignmentMemberKey { GroupId = group, MemberId = member },
        new ConsumerGroupTargetAssignmentMemberValue
        {
            TopicPartitions = [.. target.GroupBy(p => p.TopicId).Select(g => new ConsumerGroupTargetAssignmentMemberValue.TopicItem { TopicId = g.Key, Partitions = [.. g.Select(p => p.Partition).Order()] })],
        });

    private static CoordinatorRecord AssignmentRecord(string group, ConsumerGroupMember member) => new(
        new ConsumerGroupCurrentMemberAssignmentKey { GroupId = group, MemberId = member.Id },
        new ConsumerGroupCurrentMemberAssignmentValue
        {
            MemberEpoch = member.Epoch,
            PreviousMemberEpoch = member.PreviousEpoch,
            State = (sbyte)member.State,
            AssignedPartitions = [.. member.Assigned.GroupBy(p => p.TopicId).Select(g => new ConsumerGroupCurrentMemberAssignmentValue.AssignedItem { TopicId = g.Key, Partitions = [.. g.Select(p => p.Partition).Order()] })],
            PartitionsPendingRevocation = [.. member.PendingRevocation.GroupBy(p => p.TopicId).Select(g => new ConsumerGroupCurrentMemberAssignmentValue.PendingItem { TopicId = g.Key, Partitions = [.. g.Select(p => p.Partition).Order()] })],
        });

    private static IEnumerable<CoordinatorRecord> MemberTombstones(string group, string member) =>
    [
        new(new ConsumerGroupCurrentMemberAssignmentKey { GroupId = group, MemberId = member }, null),
        new(new ConsumerGroupTargetAssignmentMemberKey { GroupId = group, MemberId = member }, null),
        new(new ConsumerGroupMemberMetadataKey { GroupId = group, MemberId = member }, null),
    ];

    private static CoordinatorRecord RegexTombstone(string group, string regex) => new(new ConsumerGroupRegularExpressionKey { GroupId = group, RegularExpression = regex }, null);

    private static IEnumerable<CoordinatorRecord> ConsumerTombstones(ConsumerGroup group) =>
    [
        .. group.Members.Keys.SelectMany(m => MemberTombstones(group.Id, m)),
        .. group.Regexes.Keys.Select(r => RegexTombstone(group.Id, r)),
        new(new ConsumerGroupTargetAssignmentMetadataKey { GroupId = group.Id }, null),
        new(new ConsumerGroupPartitionMetadataKey { GroupId = group.Id }, null),
        new(new ConsumerGroupMetadataKey { GroupId = group.Id }, null),
    ];

    private ConsumerGroup ConsumerGroupOf(string id)
    {
        if (_groups.GetValueOrDefault(id) is ConsumerGroup known)
            return known;
        var group = new ConsumerGroup(id) { StateTimestamp = Now() };
        _groups[id] = group;
        return group;
    }

    private void ReplayConsumer(IKafkaRecord key, IKafkaRecord? value)
    {
        switch (key, value)
        {
            case (ConsumerGroupMetadataKey of, ConsumerGroupMetadataValue epoch):
                ConsumerGroupOf(of.GroupId).Epoch = epoch.Epoch;
                break;
            case (ConsumerGroupMetadataKey of, null):
                if (_groups.GetValueOrDefault(of.GroupId) is ConsumerGroup)
                    _groups.Remove(of.GroupId);
                break;
            case (ConsumerGroupPartitionMetadataKey of, ConsumerGroupPartitionMetadataValue topics):
                ConsumerGroupOf(of.GroupId).Topics = topics.Topics.ToDictionary(t => t.TopicName, t => new SubscribedTopic(t.TopicName, t.TopicId, t.NumPartitions));
                break;
            case (ConsumerGroupTargetAssignmentMetadataKey of, ConsumerGroupTargetAssignmentMetadataValue epoch):
                ConsumerGroupOf(of.GroupId).TargetEpoch = epoch.AssignmentEpoch;
                break;
            case (ConsumerGroupTargetAssignmentMemberKey of, ConsumerGroupTargetAssignmentMemberValue target):
                ConsumerGroupOf(of.GroupId).Target[of.MemberId] = [.. target.TopicPartitions.SelectMany(t => t.Partitions.Select(p => new AssignedPartition(t.TopicId, p)))];
                break;
            case (ConsumerGroupTargetAssignmentMemberKey of, null):
                (_groups.GetValueOrDefault(of.GroupId) as ConsumerGroup)?.Target.Remove(of.MemberId);
                break;
            case (ConsumerGroupRegularExpressionKey of, ConsumerGroupRegularExpressionValue regex):
                ConsumerGroupOf(of.GroupId).Regexes[of.RegularExpression] = regex.Topics;
                break;
            case (ConsumerGroupRegularExpressionKey of, null):
                (_groups.GetValueOrDefault(of.GroupId) as ConsumerGroup)?.Regexes.Remove(of.RegularExpression);
                break;
            case (ConsumerGroupMemberMetadataKey of, ConsumerGroupMemberMetadataValue metadata):
                ReplayMember(ConsumerGroupOf(of.GroupId), of.MemberId, metadata);
                break;
            case (ConsumerGroupMemberMetadataKey of, null):
                (_groups.GetValueOrDefault(of.GroupId) as ConsumerGroup)?.Members.Remove(of.MemberId);
                break;
            case (ConsumerGroupCurrentMemberAssignmentKey of, ConsumerGroupCurrentMemberAssignmentValue assignment):
                ReplayAssignment(ConsumerGroupOf(of.GroupId), of.MemberId, assignment);
                break;
            case (ConsumerGroupCurrentMemberAssignmentKey of, null) when _groups.GetValueOrDefault(of.GroupId) is ConsumerGroup group && group.Members.TryGetValue(of.MemberId, out ConsumerGroupMember? member):
                group.Members[of.MemberId] = member with { Epoch = ConsumerGroupMember.Left, Assigned = [], PendingRevocation = [] };
                break;
        }
    }

    private static void ReplayMember(ConsumerGroup group, string id, ConsumerGroupMemberMetadataValue value) =>
        group.Members[id] = (group.Members.GetValueOrDefault(id) ?? new ConsumerGroupMember(id)) with
        {
            InstanceId = value.InstanceId,
            RackId = value.RackId,
            ClientId = value.ClientId,
            ClientHost = value.ClientHost,
            Topics = ImmutableSortedSet.CreateRange(StringComparer.Ordinal, value.SubscribedTopicNames),
            TopicRegex = value.SubscribedTopicRegex,
            RebalanceTimeoutMs = value.RebalanceTimeoutMs,
            Assignor = value.ServerAssignor,
            Classic = value.ClassicMember is { } classic ? new ClassicMemberMetadata(classic.SessionTimeoutMs, classic.SupportedProtocols.ConvertAll(p => (p.Name, p.Metadata.ToArray()))) : null,
        };

    private static void ReplayAssignment(ConsumerGroup group, string id, ConsumerGroupCurrentMemberAssignmentValue value) =>
        group.Members[id] = (group.Members.GetValueOrDefault(id) ?? new ConsumerGroupMember(id)) with
        {
            Epoch = value.MemberEpoch,
            PreviousEpoch = value.PreviousMemberEpoch,
            State = (MemberState)value.State,
            Assigned = [.. value.AssignedPartitions.SelectMany(t => t.Partitions.Select(p => new AssignedPartition(t.TopicId, p)))],
            PendingRevocation = [.. value.PartitionsPendingRevocation.SelectMany(t => t.Partitions.Select(p => new AssignedPartition(t.TopicId, p)))],
        };
}
