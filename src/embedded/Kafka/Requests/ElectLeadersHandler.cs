using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>ElectLeaders: nothing else can lead.</summary>
internal sealed class ElectLeadersHandler(Broker broker)
{
    public ElectLeadersResponse Handle(ElectLeadersRequest request)
    {
        if (request.TopicPartitions is null)
            return new ElectLeadersResponse(); // of all partitions only those are told that needed an election
        return new ElectLeadersResponse
        {
            ReplicaElectionResults = request.TopicPartitions.ConvertAll(topic => new ElectLeadersResponse.TopicItem
            {
                Topic = topic.Topic,
                PartitionResult = topic.Partitions.ConvertAll(partition =>
                {
                    bool known = broker.LogOf(topic.Topic, partition) is not null;
                    return new ElectLeadersResponse.TopicItem.PartitionItem
                    {
                        PartitionId = partition,
                        ErrorCode = (short)(known ? ErrorCode.ElectionNotNeeded : ErrorCode.UnknownTopicOrPartition),
                        ErrorMessage = known
                            ? "Leader election not needed for topic partition."
                            : $"No such topic or partition {topic.Topic}-{partition}",
                    };
                }),
            }),
        };
    }
}
