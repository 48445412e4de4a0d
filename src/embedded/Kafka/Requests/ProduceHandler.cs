using System.Runtime.InteropServices;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Produce: appends batches as producers sent them.</summary>
internal sealed class ProduceHandler(Broker broker, ILeadership leadership, LedLogs logs)
{
    private const short ImplicitPartitionsVersion = 12;
    private const short TopicIdVersion = 13;

    public ProduceResponse? Handle(RequestContext context, ProduceRequest request)
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
                    RecordErrors = [.. (result.RecordErrors
                        ?? []).Select(e =>
                            new ProduceResponse.TopicItem.PartitionItem.RecordError
                            {
                                BatchIndex = e.Index, BatchIndexErrorMessage = e.Message,
                            })],
                    ErrorMessage = result.Message,
                });
            }

            response.Responses.Add(item);
        }

        return request.Acks == 0 ? null : response;
    }

    private AppendResult Append(short version, ProduceRequest request, TopicPartition partition, ReadOnlyMemory<byte>? records)
    {
        if (logs.Find(partition, out ErrorCode notLed) is not { } log)
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
                    ErrorCode error = broker.Transactions.CheckProduce(request.TransactionalId, batch.ProducerId, batch.ProducerEpoch,
                        partition, version >= ImplicitPartitionsVersion);
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
