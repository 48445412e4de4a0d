using System.Runtime.InteropServices;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Produce, ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeProducers, WriteTxnMarkers.</summary>
internal sealed class RecordRequests(Broker broker, ILeadership leadership)
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
                    : Append(context.Version, request, new TopicPartition(name, partition.Index), partition.Records);
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
                var key = new TopicPartition(topic.Name, partition.PartitionIndex);
                if (Find(key, out ErrorCode error, partition.CurrentLeaderEpoch) is not { } log)
                {
                    answer.ErrorCode = (short)error;
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
                answer.LeaderEpoch = found is null ? -1 : leadership.EpochOf(key);
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
                var key = new TopicPartition(topic.Topic, partition.Partition);
                UnifiedLog? log = Find(key, out ErrorCode error, partition.CurrentLeaderEpoch);
                answer.ErrorCode = (short)error;
                if (log is null)
                    return answer;
                if (partition.LeaderEpoch == leadership.EpochOf(key))
                    (answer.LeaderEpoch, answer.EndOffset) = (partition.LeaderEpoch, log.LogEndOffset);
                else if (partition.LeaderEpoch < leadership.EpochOf(key))
                    (answer.LeaderEpoch, answer.EndOffset) = log.EndOffsetForEpoch(partition.LeaderEpoch);
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
                    UnifiedLog? log = Find(new TopicPartition(topic.Name, partition.PartitionIndex), out ErrorCode error);
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

    public DescribeProducersResponse DescribeProducers(DescribeProducersRequest request) => new()
    {
        Topics = request.Topics.ConvertAll(topic => new DescribeProducersResponse.TopicItem
        {
            Name = topic.Name,
            Partitions = topic.PartitionIndexes.ConvertAll(index =>
            {
                if (Find(new TopicPartition(topic.Name, index), out ErrorCode error) is not { } log)
                    return new DescribeProducersResponse.TopicItem.PartitionItem { PartitionIndex = index, ErrorCode = (short)error, ErrorMessage = "This server does not host this topic-partition." };
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
            ? broker.Groups.CompleteTransaction(marker.ProducerId, marker.ProducerEpoch, marker.TransactionResult, marker.CoordinatorEpoch)
            : log.AppendEndTransactionMarker(marker.ProducerId, marker.ProducerEpoch, marker.TransactionResult, marker.CoordinatorEpoch).Error;
    }

    // The log of a partition that this node leads, or why it does not serve it.
    private UnifiedLog? Find(TopicPartition partition, out ErrorCode error, int knownEpoch = -1)
    {
        UnifiedLog? log = broker.Logs.Get(partition);
        error = log is null ? ErrorCode.UnknownTopicOrPartition : leadership.Check(partition, knownEpoch);
        return error == ErrorCode.None ? log : null;
    }

    private AppendResult Append(short version, ProduceRequest request, TopicPartition partition, ReadOnlyMemory<byte>? records)
    {
        if (Find(partition, out ErrorCode notLed) is not { } log)
            return new AppendResult(notLed);
        if (request.Acks == -1 && !leadership.HasEnoughReplicas(partition))
            return new AppendResult(ErrorCode.NotEnoughReplicas);
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
                    ErrorCode error = broker.Transactions.CheckProduce(request.TransactionalId, batch.ProducerId, batch.ProducerEpoch, partition, version >= ImplicitPartitionsVersion);
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
