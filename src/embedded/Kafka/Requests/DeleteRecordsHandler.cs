using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DeleteRecords: advances the start of logs.</summary>
internal sealed class DeleteRecordsHandler(Broker broker, LedLogs logs)
{
    public DeleteRecordsResponse Handle(DeleteRecordsRequest request)
    {
        var response = new DeleteRecordsResponse
        {
            Topics = request.Topics.ConvertAll(topic => new DeleteRecordsResponse.TopicItem
            {
                Name = topic.Name,
                Partitions = topic.Partitions.ConvertAll(partition =>
                {
                    UnifiedLog? log = logs.Find(new TopicPartition(topic.Name, partition.PartitionIndex), out ErrorCode error);
                    error = log?.DeleteRecords(partition.Offset) ?? error;
                    return new DeleteRecordsResponse.TopicItem.PartitionItem
                    {
                        PartitionIndex = partition.PartitionIndex,
                        ErrorCode = (short)error,
                        LowWatermark = error == ErrorCode.None ? log!.LogStartOffset : -1,
                    };
                }),
            }),
        };
        // What was deleted stays deleted as long as the broker runs; where this cannot be written, the next cleaning does.
        broker.Logs.Attempt(broker.LogDirectory, broker.Logs.WriteStartOffsets);
        return response;
    }
}
