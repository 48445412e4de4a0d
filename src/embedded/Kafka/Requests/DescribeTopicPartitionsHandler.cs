using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeTopicPartitions: the partitions of topics, page by page.</summary>
internal sealed class DescribeTopicPartitionsHandler(Broker broker)
{
    private const int MaxDescribedPartitions = 2_000;

    public DescribeTopicPartitionsResponse Handle(DescribeTopicPartitionsRequest request)
    {
        var response = new DescribeTopicPartitionsResponse();
        string[] names = request.Topics.Count == 0
            ? [.. broker.Topics.All.Select(t => t.Name)]
            : [.. request.Topics.Select(t => t.Name).Distinct()];
        int left = Math.Clamp(request.ResponsePartitionLimit, 1, MaxDescribedPartitions);
        foreach (string name in names.Order(StringComparer.Ordinal).SkipWhile(n =>
            request.Cursor is { } c && string.CompareOrdinal(n, c.TopicName) < 0))
        {
            if (broker.Topics.Find(name) is not { } topic)
            {
                response.Topics.Add(new DescribeTopicPartitionsResponse.TopicItem
                {
                    Name = name,
                    ErrorCode = (short)(TopicStore.CheckName(name) is null ? ErrorCode.UnknownTopicOrPartition : ErrorCode.InvalidTopic),
                });
                continue;
            }

            int first = request.Cursor?.TopicName == name ? Math.Max(0, request.Cursor.PartitionIndex) : 0;
            if (left == 0)
            {
                response.NextCursor = new DescribeTopicPartitionsResponse.CursorItem { TopicName = name, PartitionIndex = first };
                return response;
            }

            int count = Math.Clamp(topic.Partitions - first, 0, left);
            response.Topics.Add(new DescribeTopicPartitionsResponse.TopicItem
            {
                Name = name,
                TopicId = topic.Id,
                IsInternal = topic.IsInternal,
                TopicAuthorizedOperations = AuthorizedOperations.Topic,
                Partitions = [.. Enumerable.Range(first, count).Select(p => new DescribeTopicPartitionsResponse.TopicItem.PartitionItem
                {
                    PartitionIndex = p,
                    LeaderId = broker.NodeId,
                    ReplicaNodes = [broker.NodeId],
                    IsrNodes = [broker.NodeId],
                    EligibleLeaderReplicas = [],
                    LastKnownElr = [],
                })],
            });
            left -= count;
            if (first + count < topic.Partitions)
            {
                response.NextCursor = new DescribeTopicPartitionsResponse.CursorItem { TopicName = name, PartitionIndex = first + count };
                return response;
            }
        }

        return response;
    }
}
