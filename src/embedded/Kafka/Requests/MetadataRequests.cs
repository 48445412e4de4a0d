using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Metadata, DescribeCluster, FindCoordinator: this node leads everything.</summary>
internal sealed class MetadataRequests(Broker broker)
{
    public MetadataResponse Metadata(MetadataRequest request)
    {
        var response = new MetadataResponse { ClusterId = broker.ClusterId, ControllerId = Broker.NodeId };
        response.Brokers.Add(new MetadataResponse.Broker { NodeId = Broker.NodeId, Host = broker.Host, Port = broker.Port });
        // Version 0 asks for all with an empty list, later versions with null.
        if (request.Topics is null)
        {
            response.Topics.AddRange(broker.Topics.All.Select(Describe));
            return response;
        }

        foreach (MetadataRequest.MetadataRequestTopic wanted in request.Topics)
        {
            Topic? topic = broker.Topics.Find(wanted.Name);
            if (topic is null && broker.Options.AutoCreateTopics && request.AllowAutoTopicCreation && TopicStore.CheckName(wanted.Name) is null)
            {
                topic = new Topic(wanted.Name, broker.Options.DefaultPartitions, new LogConfig(new Dictionary<string, string>()), IsInternal: false);
                broker.Topics.Put(topic);
                broker.OpenLogs(topic);
            }

            response.Topics.Add(topic is not null ? Describe(topic) : new MetadataResponse.TopicItem
            {
                Name = wanted.Name,
                ErrorCode = (short)(TopicStore.CheckName(wanted.Name) is null ? ErrorCode.UnknownTopicOrPartition : ErrorCode.InvalidTopic),
            });
        }

        return response;
    }

    public DescribeClusterResponse DescribeCluster() => new()
    {
        ClusterId = broker.ClusterId,
        ControllerId = Broker.NodeId,
        Brokers = [new DescribeClusterResponse.Broker { BrokerId = Broker.NodeId, Host = broker.Host, Port = broker.Port }],
    };

    public FindCoordinatorResponse FindCoordinator() => new() { NodeId = Broker.NodeId, Host = broker.Host, Port = broker.Port };

    private static MetadataResponse.TopicItem Describe(Topic topic)
    {
        var item = new MetadataResponse.TopicItem { Name = topic.Name, IsInternal = topic.IsInternal };
        for (int partition = 0; partition < topic.Partitions; partition++)
        {
            item.Partitions.Add(new MetadataResponse.TopicItem.PartitionItem
            {
                PartitionIndex = partition,
                LeaderId = Broker.NodeId,
                ReplicaNodes = [Broker.NodeId],
                IsrNodes = [Broker.NodeId],
            });
        }

        return item;
    }
}
