using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeProducers: the producers that logs know.</summary>
internal sealed class DescribeProducersHandler(LedLogs logs)
{
    public DescribeProducersResponse Handle(DescribeProducersRequest request) => new()
    {
        Topics = request.Topics.ConvertAll(topic => new DescribeProducersResponse.TopicItem
        {
            Name = topic.Name,
            Partitions = topic.PartitionIndexes.ConvertAll(index =>
            {
                if (logs.Find(new TopicPartition(topic.Name, index), out ErrorCode error) is not { } log)
                    return new DescribeProducersResponse.TopicItem.PartitionItem
                    {
                        PartitionIndex = index,
                        ErrorCode = (short)error,
                        ErrorMessage = "This server does not host this topic-partition.",
                    };
                return new DescribeProducersResponse.TopicItem.PartitionItem
                {
                    PartitionIndex = index,
                    ActiveProducers = [.. log.DescribeProducers().Select(p => new DescribeProducersResponse.TopicItem.PartitionItem.Producer
                    {
                        ProducerId = p.ProducerId,
                        ProducerEpoch = p.Epoch,
                        LastSequence = p.LastSequence,
                        LastTimestamp = p.LastTimestamp,
                        CoordinatorEpoch = p.CoordinatorEpoch,
                        CurrentTxnStartOffset = p.TransactionStart,
                    })],
                };
            }),
        }),
    };
}
