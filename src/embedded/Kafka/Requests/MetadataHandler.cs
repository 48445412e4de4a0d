using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Metadata: topics, and the brokers that lead their partitions.</summary>
internal sealed class MetadataHandler(Broker broker)
{
    public MetadataResponse Handle(MetadataRequest request)
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
                    : new MetadataResponse.TopicItem
                    {
                        TopicId = wanted.TopicId, Name = null, ErrorCode = (short)ErrorCode.UnknownTopicId,
                    });
                continue;
            }

            Topic? topic = broker.Topics.Find(name);
            bool valid = TopicStore.CheckName(name) is null;
            // As with Kafka, the topic is reported from the next request on.
            if (topic is null
                && broker.Options.AutoCreateTopics
                && request.AllowAutoTopicCreation
                && valid
                && broker.Topics.CollidingWith(name) is null)
                broker.Logs.Attempt(broker.Directory,
                    () => broker.CreateTopic(name, broker.Options.DefaultPartitions, new Dictionary<string, string>()));
            response.Topics.Add(topic is not null ? Describe(topic, operations)
                : new MetadataResponse.TopicItem
                {
                    Name = name, ErrorCode = (short)(valid ? ErrorCode.UnknownTopicOrPartition : ErrorCode.InvalidTopic),
                });
        }

        return response;
    }

    private MetadataResponse.TopicItem Describe(Topic topic, int operations)
    {
        var item = new MetadataResponse.TopicItem
        {
            Name = topic.Name,
            TopicId = topic.Id,
            IsInternal = topic.IsInternal,
            TopicAuthorizedOperations = operations,
        };
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
