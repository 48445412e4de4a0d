using System.Runtime.InteropServices;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Produce, ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeProducers, WriteTxnMarkers.</summary>
internal sealed class RecordRequests(Broker broker)
{
    private const long LatestTimestamp = -1;
    private const long EarliestTimestamp = -2;
    private const long MaxTimestamp = -3;
    private const long EarliestLocalTimestamp = -4;
    private const long LatestTieredTimestamp = -5;
    private const long EarliestPendingUploadTimestamp = -6;
    private const short ImplicitPartitionsVersion = 12;
    private const short TopicIdVersion = 13;

    public ProduceResponse? Produce(RequestContext context, ProduceRequest request)
    {
        var response = new ProduceResponse();
        foreach (ProduceRequest.TopicItem topic in request.TopicData)
        {
            string? name = context.Version >= TopicIdVersion ? broker.Topics.Find(topic.TopicId)?.Name : topic.Name;
            var item = new ProduceResponse.TopicItem { Name = topic.Name, TopicId = topic.TopicId };
            foreach (ProduceRequest.TopicItem.PartitionItem partition in topic.PartitionData)
            {
                AppendResult result = request.Acks is < -1 or > 1
                    ? new AppendResult(ErrorCode.InvalidRequiredAcks)
                    : name is null ? new AppendResult(ErrorCode.UnknownTopicId)
                    : Append(context.Version, request.TransactionalId, new TopicPartition(name, partition.Index), partition.Records);
                item.PartitionResponses.Add(new ProduceResponse.TopicItem.PartitionItem
                {
                    Index = partition.Index,
                    ErrorCode = (short)result.Error,
                    BaseOffset = result.BaseOffset,
                    LogAppendTimeMs = result.LogAppendTime,
                    LogStartOffset = (name is null ? null : broker.LogOf(name, partition.Index))?.LogStartOffset ?? -1,
                    RecordErrors = [.. (result.RecordErrors ?? []).Select(e => new ProduceResponse.TopicItem.PartitionItem.RecordError { BatchIndex = e.Index, BatchIndexErrorMessage = e.Message })],
                    ErrorMessage = result.Message,
                });
            }

            response.Responses.Add(item);
        }

        return request.Acks == 0 ? null : response;
    }

    public ListOffsetsResponse ListOffsets(ListOffsetsRequest request) => new()
    {
        Topics = request.Topics.ConvertAll(topic => new ListOffsetsResponse.TopicItem
        {
            Name = topic.Name,
            Partitions = topic.Partitions.ConvertAll(partition =>
            {
                var answer = new ListOffsetsResponse.TopicItem.PartitionItem { PartitionIndex = partition.PartitionIndex };
                if (broker.LogOf(topic.Name, partition.PartitionIndex) is not { } log)
                {
                    answer.ErrorCode = (short)ErrorCode.UnknownTopicOrPartition;
                    return answer;
                }

                if (Broker.CheckLeaderEpoch(partition.CurrentLeaderEpoch) is var epoch and not ErrorCode.None)
                {
                    answer.ErrorCode = (short)epoch;
                    return answer;
                }

                long end = request.IsolationLevel == 1 ? log.LastStableOffset : log.LogEndOffset;
                (long Offset, long Timestamp)? found = partition.Timestamp switch
                {
                    LatestTimestamp => (end, -1),
                    EarliestTimestamp or EarliestLocalTimestamp => (log.LogStartOffset, -1),
                    LatestTieredTimestamp or EarliestPendingUploadTimestamp => null,
                    MaxTimestamp => Before(end, log.MaxTimestamp()),
                    _ => Before(end, log.OffsetForTimestamp(partition.Timestamp)),
                };
                (answer.Offset, answer.Timestamp) = found ?? (-1, -1);
                answer.LeaderEpoch = found is null ? -1 : Broker.LeaderEpoch;
                answer.OldStyleOffsets = found is { } old ? [old.Offset] : [];
                return answer;
            }),
        }),
    };

    public OffsetForLeaderEpochResponse OffsetForLeaderEpoch(OffsetForLeaderEpochRequest request) => new()
    {
        Topics = request.Topics.ConvertAll(topic => new OffsetForLeaderEpochResponse.TopicItem
        {
            Topic = topic.Topic,
            Partitions = topic.Partitions.ConvertAll(partition =>
            {
                var answer = new OffsetForLeaderEpochResponse.TopicItem.PartitionItem { Partition = partition.Partition };
                UnifiedLog? log = broker.LogOf(topic.Topic, partition.Partition);
                ErrorCode error = log is null ? ErrorCode.UnknownTopicOrPartition : Broker.CheckLeaderEpoch(partition.CurrentLeaderEpoch);
                answer.ErrorCode = (short)error;
                if (error == ErrorCode.None && partition.LeaderEpoch == Broker.LeaderEpoch)
                    (answer.LeaderEpoch, answer.EndOffset) = (Broker.LeaderEpoch, log!.LogEndOffset);
                return answer;
            }),
        }),
    };

    public DeleteRecordsResponse DeleteRecords(DeleteRecordsRequest request)
    {
        var response = new DeleteRecordsResponse
        {
            Topics = request.Topics.ConvertAll(topic => new DeleteRecordsResponse.TopicItem
            {
                Name = topic.Name,
                Partitions = topic.Partitions.ConvertAll(partition =>
                {
                    UnifiedLog? log = broker.LogOf(topic.Name, partition.PartitionIndex);
                    ErrorCode error = log?.DeleteRecords(partition.Offset) ?? ErrorCode.UnknownTopicOrPartition;
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

    public DescribeProducersResponse DescribeProducers(DescribeProducersRequest request) => new()
    {
        Topics = request.Topics.ConvertAll(topic => new DescribeProducersResponse.TopicItem
        {
            Name = topic.Name,
            Partitions = topic.PartitionIndexes.ConvertAll(index =>
            {
                if (broker.LogOf(topic.Name, index) is not { } log)
                    return new DescribeProducersResponse.TopicItem.PartitionItem { PartitionIndex = index, ErrorCode = (short)ErrorCode.UnknownTopicOrPartition, ErrorMessage = "This server does not host this topic-partition." };
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

    /// <summary>Markers that an administrator writes to end a transaction that hangs, past its coordinator (KIP-664).</summary>
    public WriteTxnMarkersResponse WriteMarkers(WriteTxnMarkersRequest request) => new()
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

    // What was found by its time counts only before the offset up to which the client may read.
    private static (long Offset, long Timestamp)? Before(long end, (long Offset, long Timestamp)? found) => found?.Offset < end ? found : null;

    private ErrorCode Write(WriteTxnMarkersRequest.Marker marker, TopicPartition partition)
    {
        if (broker.Logs.Get(partition) is not { } log)
            return ErrorCode.UnknownTopicOrPartition;
        return partition.Topic == TopicStore.Offsets
            ? broker.Groups.EndTransaction(marker.ProducerId, marker.ProducerEpoch, marker.TransactionResult, marker.CoordinatorEpoch)
            : log.AppendEndTransactionMarker(marker.ProducerId, marker.ProducerEpoch, marker.TransactionResult, marker.CoordinatorEpoch).Error;
    }

    private AppendResult Append(short version, string? transactionalId, TopicPartition partition, ReadOnlyMemory<byte>? records)
    {
        if (broker.Logs.Get(partition) is not { } log)
            return new AppendResult(ErrorCode.UnknownTopicOrPartition);
        if (records is not { } bytes)
            return new AppendResult(ErrorCode.InvalidRecord, Message: "The request has no records.");
        // The request's own buffer: offsets are set in place before it is written.
        Memory<byte> own = MemoryMarshal.AsMemory(bytes);
        if (RecordBatch.Check(own.Span) == ErrorCode.None)
        {
            var batch = new RecordBatch(own.Span);
            if (batch.IsTransactional)
            {
                try
                {
                    ErrorCode error = broker.Transactions.CheckProduce(transactionalId, batch.ProducerId, batch.ProducerEpoch, partition, version >= ImplicitPartitionsVersion);
                    if (error != ErrorCode.None)
                        return new AppendResult(error);
                }
                catch (KafkaStorageException fault)
                {
                    return new AppendResult(ErrorCode.KafkaStorageError, Message: fault.Message);
                }
            }
        }

        return log.Append(own);
    }
}
