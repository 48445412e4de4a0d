using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>WriteTxnMarkers: markers that an administrator writes to end a transaction that hangs.</summary>
internal sealed class WriteTxnMarkersHandler(Broker broker)
{
    /// <summary>Markers that an administrator writes to end a transaction that hangs, past its coordinator (KIP-664).</summary>
    public WriteTxnMarkersResponse Handle(WriteTxnMarkersRequest request) => new()
    {
        Markers = request.Markers.ConvertAll(marker => new WriteTxnMarkersResponse.Marker
        {
            ProducerId = marker.ProducerId,
            Topics = marker.Topics.ConvertAll(topic => new WriteTxnMarkersResponse.Marker.TopicItem
            {
                Name = topic.Name,
                Partitions = topic.PartitionIndexes.ConvertAll(index => new WriteTxnMarkersResponse.Marker.TopicItem.PartitionItem
                {
                    PartitionIndex = index,
                    ErrorCode = (short)Write(marker, new TopicPartition(topic.Name, index)),
                }),
            }),
        }),
    };

    private ErrorCode Write(WriteTxnMarkersRequest.Marker marker, TopicPartition partition)
    {
        if (broker.Logs.Get(partition) is not { } log)
            return ErrorCode.UnknownTopicOrPartition;
        return partition.Topic == TopicStore.Offsets
            ? broker.Groups.CompleteTransaction(marker.ProducerId, marker.ProducerEpoch, marker.TransactionResult, marker.CoordinatorEpoch)
            : log.AppendEndTransactionMarker(marker.ProducerId, marker.ProducerEpoch, marker.TransactionResult,
                marker.CoordinatorEpoch).Error;
    }
}
