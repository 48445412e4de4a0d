using KafkaEventSourcing.Embedded.Kafka.Coordinator;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeGroups, ListGroups, DeleteGroups, OffsetDelete.</summary>
internal sealed class GroupRequests(Broker broker)
{
    public DescribeGroupsResponse Describe(DescribeGroupsRequest request) => new()
    {
        Groups = request.Groups.ConvertAll(id =>
        {
            if (broker.Groups.Find(id) is not { } group)
                return new DescribeGroupsResponse.DescribedGroup { GroupId = id, GroupState = nameof(GroupState.Dead) };
            lock (group.Lock)
            {
                return new DescribeGroupsResponse.DescribedGroup
                {
                    GroupId = id,
                    GroupState = group.State.ToString(),
                    ProtocolType = group.ProtocolType ?? "",
                    ProtocolData = group.State == GroupState.Stable ? group.Protocol ?? "" : "",
                    Members = [.. group.Members.Values.Select(m => new DescribeGroupsResponse.DescribedGroup.Member
                    {
                        MemberId = m.Id,
                        GroupInstanceId = m.InstanceId,
                        ClientId = m.ClientId,
                        ClientHost = m.ClientHost,
                        MemberMetadata = m.Protocols.FirstOrDefault(p => p.Name == group.Protocol).Metadata,
                        MemberAssignment = m.Assignment,
                    })],
                };
            }
        }),
    };

    public ListGroupsResponse List(ListGroupsRequest request) => new()
    {
        Groups = [.. broker.Groups.Groups
            .Where(g => request.StatesFilter.Count == 0 || request.StatesFilter.Contains(g.State.ToString(), StringComparer.OrdinalIgnoreCase))
            .Select(g => new ListGroupsResponse.ListedGroup { GroupId = g.Id, ProtocolType = g.ProtocolType ?? "", GroupState = g.State.ToString() })],
    };

    public DeleteGroupsResponse Delete(DeleteGroupsRequest request) => new()
    {
        Results = request.GroupsNames.ConvertAll(id => new DeleteGroupsResponse.Result { GroupId = id, ErrorCode = (short)broker.Groups.Delete(id) }),
    };

    public OffsetDeleteResponse DeleteOffsets(OffsetDeleteRequest request)
    {
        if (broker.Groups.Find(request.GroupId) is not { } group)
            return new OffsetDeleteResponse { ErrorCode = (short)ErrorCode.GroupIdNotFound };
        lock (group.Lock)
        {
            if (group.Members.Count > 0)
                return new OffsetDeleteResponse { ErrorCode = (short)ErrorCode.NonEmptyGroup };
            broker.Groups.DeleteOffsets(group, [.. request.Topics.SelectMany(t => t.Partitions.Select(p => new TopicPartition(t.Name, p.PartitionIndex)))]);
            return new OffsetDeleteResponse
            {
                Topics = request.Topics.ConvertAll(t => new OffsetDeleteResponse.TopicItem
                {
                    Name = t.Name,
                    Partitions = t.Partitions.ConvertAll(p => new OffsetDeleteResponse.TopicItem.PartitionItem { PartitionIndex = p.PartitionIndex }),
                }),
            };
        }
    }
}
