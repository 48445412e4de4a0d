using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Metadata, DescribeTopicPartitions, DescribeCluster, FindCoordinator: this node leads everything.</summary>
internal sealed class MetadataRequests(Broker broker)
{
    private const short BatchedCoordinatorsVersion = 4;
    private const sbyte BrokersEndpoint = 1;
    public const sbyte TransactionKey = 1;
    private const int MaxDescribedPartitions = 2_000;

    public MetadataResponse Metadata(MetadataRequest request)
    {
        var response = new MetadataResponse { ClusterId = broker.ClusterId, ControllerId = broker.NodeId };
        response.Brokers.Add(new MetadataResponse.Broker { NodeId = broker.NodeId, Host = broker.Host, Port = broker.Port });
        if (request.IncludeClusterAuthorizedOperations)
            response.ClusterAuthorizedOperations = AuthorizedOperations.Cluster;
        int operations = request.IncludeTopicAuthorizedOperations ? AuthorizedOperations.Topic : AuthorizedOperations.NotAsked;
        if (request.Topics is null)
        {
            response.Topics.AddRange(broker.Topics.All.Select(t => Describe(t, operations)));
            return response;
        }

        foreach (MetadataRequest.MetadataRequestTopic wanted in request.Topics)
        {
            // Who asks by the id may leave the name empty, as the Java client does, or null.
            if (wanted.TopicId != Guid.Empty || wanted.Name is not { } name)
            {
                response.Topics.Add(broker.Topics.Find(wanted.TopicId) is { } known ? Describe(known, operations)
                    : new MetadataResponse.TopicItem { TopicId = wanted.TopicId, Name = null, ErrorCode = (short)ErrorCode.UnknownTopicId });
                continue;
            }

            Topic? topic = broker.Topics.Find(name);
            bool valid = TopicStore.CheckName(name) is null;
            // As with Kafka, the topic is told of from the next request on.
            if (topic is null && broker.Options.AutoCreateTopics && request.AllowAutoTopicCreation && valid && broker.Topics.CollidingWith(name) is null)
                broker.Logs.Attempt(broker.Directory, () => broker.CreateTopic(name, broker.Options.DefaultPartitions, new Dictionary<string, string>()));
            response.Topics.Add(topic is not null ? Describe(topic, operations)
                : new MetadataResponse.TopicItem { Name = name, ErrorCode = (short)(valid ? ErrorCode.UnknownTopicOrPartition : ErrorCode.InvalidTopic) });
        }

        return response;
    }

    public DescribeTopicPartitionsResponse DescribePartitions(DescribeTopicPartitionsRequest request)
    {
        var response = new DescribeTopicPartitionsResponse();
        string[] names = request.Topics.Count == 0 ? [.. broker.Topics.All.Select(t => t.Name)] : [.. request.Topics.Select(t => t.Name).Distinct()];
        int left = Math.Clamp(request.ResponsePartitionLimit, 1, MaxDescribedPartitions);
        foreach (string name in names.Order(StringComparer.Ordinal).SkipWhile(n => request.Cursor is { } c && string.CompareOrdinal(n, c.TopicName) < 0))
        {
            if (broker.Topics.Find(name) is not { } topic)
            {
                response.Topics.Add(new DescribeTopicPartitionsResponse.TopicItem { Name = name, ErrorCode = (short)(TopicStore.CheckName(name) is null ? ErrorCode.UnknownTopicOrPartition : ErrorCode.InvalidTopic) });
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

    public DescribeClusterResponse DescribeCluster(DescribeClusterRequest request)
    {
        if (request.EndpointType != BrokersEndpoint)
            return new DescribeClusterResponse { ErrorCode = (short)ErrorCode.UnsupportedEndpointType, ErrorMessage = $"Unsupported endpoint type {request.EndpointType}", EndpointType = request.EndpointType };
        return new DescribeClusterResponse
        {
            ClusterId = broker.ClusterId,
            ControllerId = broker.NodeId,
            Brokers = [new DescribeClusterResponse.Broker { BrokerId = broker.NodeId, Host = broker.Host, Port = broker.Port }],
            ClusterAuthorizedOperations = request.IncludeClusterAuthorizedOperations ? AuthorizedOperations.Cluster : AuthorizedOperations.NotAsked,
        };
    }

    public FindCoordinatorResponse FindCoordinator(RequestContext context, FindCoordinatorRequest request)
    {
        ErrorCode error = request.KeyType is < 0 or > TransactionKey ? ErrorCode.InvalidRequest : ErrorCode.None;
        string? message = error == ErrorCode.None ? null : $"Unknown coordinator type {request.KeyType}.";
        bool found = error == ErrorCode.None;
        (int node, string host, int port) = found ? (broker.NodeId, broker.Host, broker.Port) : (-1, "", -1);
        if (context.Version < BatchedCoordinatorsVersion)
            return new FindCoordinatorResponse { ErrorCode = (short)error, ErrorMessage = message, NodeId = node, Host = host, Port = port };
        return new FindCoordinatorResponse
        {
            Coordinators = request.CoordinatorKeys.ConvertAll(key => new FindCoordinatorResponse.Coordinator { Key = key, NodeId = node, Host = host, Port = port, ErrorCode = (short)error, ErrorMessage = message ?? "" }),
        };
    }

    private MetadataResponse.TopicItem Describe(Topic topic, int operations)
    {
        var item = new MetadataResponse.TopicItem { Name = topic.Name, TopicId = topic.Id, IsInternal = topic.IsInternal, TopicAuthorizedOperations = operations };
        for (int partition = 0; partition < topic.Partitions; partition++)
        {
            item.Partitions.Add(new MetadataResponse.TopicItem.PartitionItem
            {
                PartitionIndex = partition,
                LeaderId = broker.NodeId,
                LeaderEpoch = Broker.LeaderEpoch,
                ReplicaNodes = [broker.NodeId],
                IsrNodes = [broker.NodeId],
            });
        }

        return item;
    }
}
