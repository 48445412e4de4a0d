using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>What learns of groups: ListGroups, DescribeGroups, ConsumerGroupDescribe.</summary>
internal sealed class GroupDescriptions(GroupTable groups)
{
    private const short NotFoundVersion = 6;
    private const sbyte ClassicMemberType = 0;
    private const sbyte ConsumerMemberType = 1;

    public ListGroupsResponse List(ListGroupsRequest request) => new()
    {
        Groups =
        [
            .. groups.All
                .Where(g => request.StatesFilter.Count == 0 || request.StatesFilter.Contains(g.StateName, StringComparer.OrdinalIgnoreCase))
                .Where(g => request.TypesFilter.Count == 0 || request.TypesFilter.Contains(g.Type, StringComparer.OrdinalIgnoreCase))
                .Select(g => new ListGroupsResponse.ListedGroup
                {
                    GroupId = g.Id,
                    ProtocolType = g.ProtocolType,
                    GroupState = g.StateName,
                    GroupType = g.Type,
                }),
        ],
    };

    public DescribeGroupsResponse Describe(short version, DescribeGroupsRequest request) =>
        new() { Groups = request.Groups.ConvertAll(id => DescribeClassic(id, version, request.IncludeAuthorizedOperations)) };

    public ConsumerGroupDescribeResponse Describe(ConsumerGroupDescribeRequest request) =>
        new() { Groups = request.GroupIds.ConvertAll(id => DescribeConsumer(id, request.IncludeAuthorizedOperations)) };

    private DescribeGroupsResponse.DescribedGroup DescribeClassic(string id, short version, bool includeOperations)
    {
        int operations = includeOperations ? AuthorizedOperations.Group : AuthorizedOperations.NotAsked;
        if (groups.Find(id) is not ClassicGroup group)
        {
            bool tells = version >= NotFoundVersion;
            return new DescribeGroupsResponse.DescribedGroup
            {
                GroupId = id,
                GroupState = nameof(ClassicGroupState.Dead),
                ErrorCode = (short)(tells ? ErrorCode.GroupIdNotFound : ErrorCode.None),
                ErrorMessage = !tells ? null : groups.Contains(id) ? $"Group {id} is not a classic group." : $"Group {id} not found.",
                AuthorizedOperations = operations,
            };
        }

        bool stable = group.State == ClassicGroupState.Stable;
        return new DescribeGroupsResponse.DescribedGroup
        {
            GroupId = id,
            GroupState = group.StateName,
            ProtocolType = group.ProtocolType,
            ProtocolData = stable ? group.Protocol ?? "" : "",
            AuthorizedOperations = operations,
            Members = [.. group.Members.Values.Select(m => new DescribeGroupsResponse.DescribedGroup.Member
            {
                MemberId = m.Id,
                GroupInstanceId = m.InstanceId,
                ClientId = m.ClientId,
                ClientHost = m.ClientHost,
                MemberMetadata = stable ? m.MetadataOf(group.Protocol) : [],
                MemberAssignment = stable ? m.Assignment : [],
            })],
        };
    }

    private ConsumerGroupDescribeResponse.DescribedGroup DescribeConsumer(string id, bool includeOperations)
    {
        if (groups.Find(id) is not ConsumerGroup group)
        {
            return new ConsumerGroupDescribeResponse.DescribedGroup
            {
                GroupId = id,
                ErrorCode = (short)(id.Length == 0 ? ErrorCode.InvalidGroupId : ErrorCode.GroupIdNotFound),
                ErrorMessage = groups.Contains(id) ? $"Group {id} is not a consumer group." : $"Group {id} not found.",
            };
        }

        return new ConsumerGroupDescribeResponse.DescribedGroup
        {
            GroupId = id,
            GroupState = group.StateName,
            GroupEpoch = group.Epoch,
            AssignmentEpoch = group.TargetEpoch,
            AssignorName = group.PreferredAssignor(),
            AuthorizedOperations = includeOperations ? AuthorizedOperations.Group : AuthorizedOperations.NotAsked,
            Members = [.. group.Members.Values.Select(m => Describe(group, m))],
        };
    }

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
            Assignment = new()
            {
                TopicPartitions = [.. member.Assigned.GroupBy(p => p.TopicId)
                    .Select(g => new ConsumerGroupDescribeResponse.DescribedGroup.Member.AssignmentItem.TopicItem
                    {
                        TopicId = g.Key,
                        TopicName = NameOf(g.Key),
                        Partitions = [.. g.Select(p => p.Partition).Order()],
                    })],
            },
            TargetAssignment = new()
            {
                TopicPartitions = [.. group.TargetOf(member.Id).GroupBy(p => p.TopicId)
                    .Select(g => new ConsumerGroupDescribeResponse.DescribedGroup.Member.TargetAssignmentItem.TopicItem
                    {
                        TopicId = g.Key,
                        TopicName = NameOf(g.Key),
                        Partitions = [.. g.Select(p => p.Partition).Order()],
                    })],
            },
            MemberType = member.Classic is null ? ConsumerMemberType : ClassicMemberType,
        };
    }
}
