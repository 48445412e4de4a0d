using System.Runtime.InteropServices;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords.</summary>
internal sealed class RecordRequests(Broker broker)
{
    private const long LatestTimestamp = -1;
    private const long EarliestTimestamp = -2;
    private const long MaxTimestamp = -3;
    private const int MaxFetchBytes = 55 * 1024 * 1024;

    public ProduceResponse? Produce(ProduceRequest request)
    {
        var response = new ProduceResponse();
        foreach (ProduceRequest.TopicItem topic in request.TopicData)
        {
            var item = new ProduceResponse.TopicItem { Name = topic.Name };
            foreach (ProduceRequest.TopicItem.PartitionItem partition in topic.PartitionData)
            {
                AppendResult result = request.Acks is < -1 or > 1
                    ? new AppendResult(ErrorCode.InvalidRequiredAcks)
                    : Append(request.TransactionalId, new TopicPartition(topic.Name, partition.Index), partition.Records);
                item.PartitionResponses.Add(new ProduceResponse.TopicItem.PartitionItem
                {
                    Index = partition.Index,
                    ErrorCode = (short)result.Error,
                    BaseOffset = result.BaseOffset,
                    LogAppendTimeMs = result.LogAppendTime,
                    LogStartOffset = broker.LogOf(topic.Name, partition.Index)?.LogStartOffset ?? -1,
                    ErrorMessage = result.Message,
                });
            }

            response.Responses.Add(item);
        }

        return request.Acks == 0 ? null : response;
    }

    public async Task<FetchResponse> Fetch(FetchRequest request)
    {
        long deadline = broker.Time.GetTimestamp() + (long)(Math.Max(0, request.MaxWaitMs) / 1000d * broker.Time.TimestampFrequency);
        while (true)
        {
            // Versions are taken before reading: an append in between is not missed.
            (AppendSignal Signal, long Version)[] seen = [.. request.Topics.SelectMany(t => t.Partitions.Select(p => broker.SignalOf(new TopicPartition(t.Name, p.Index)))).Select(s => (s, s.Version))];
            FetchResponse response = Read(request, out long bytes, out bool failed);
            long left = deadline - broker.Time.GetTimestamp();
            if (failed || bytes >= Math.Max(1, request.MinBytes) || left <= 0 || seen.Length == 0)
                return response;
            await WaitForAppend(seen, TimeSpan.FromSeconds((double)left / broker.Time.TimestampFrequency)).ConfigureAwait(false);
        }
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

                (long Offset, long Timestamp)? found = partition.Timestamp switch
                {
                    LatestTimestamp => (request.IsolationLevel == 1 ? log.LastStableOffset : log.LogEndOffset, -1),
                    EarliestTimestamp => (log.LogStartOffset, -1),
                    MaxTimestamp => log.MaxTimestamp(),
                    _ => log.OffsetForTimestamp(partition.Timestamp),
                };
                (answer.Offset, answer.Timestamp) = found ?? (-1, -1);
                answer.LeaderEpoch = found is null ? -1 : 0;
                return answer;
            }),
        }),
    };

    public OffsetForLeaderEpochResponse OffsetForLeaderEpoch(OffsetForLeaderEpochRequest request) => new()
    {
        Topics = request.Topics.ConvertAll(topic => new OffsetForLeaderEpochResponse.TopicItem
        {
            Topic = topic.Topic,
            Partitions = topic.Partitions.ConvertAll(partition => broker.LogOf(topic.Topic, partition.Partition) is { } log
                ? new OffsetForLeaderEpochResponse.TopicItem.PartitionItem { Partition = partition.Partition, LeaderEpoch = 0, EndOffset = log.LogEndOffset }
                : new OffsetForLeaderEpochResponse.TopicItem.PartitionItem { Partition = partition.Partition, ErrorCode = (short)ErrorCode.UnknownTopicOrPartition }),
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
        broker.Logs.WriteStartOffsets();
        return response;
    }

    private AppendResult Append(string? transactionalId, TopicPartition partition, ReadOnlyMemory<byte>? records)
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
                ErrorCode error = broker.Transactions.CheckProduce(transactionalId, batch.ProducerId, batch.ProducerEpoch, partition);
                if (error != ErrorCode.None)
                    return new AppendResult(error);
            }
        }

        return log.Append(own);
    }

    private FetchResponse Read(FetchRequest request, out long bytes, out bool failed)
    {
        var response = new FetchResponse();
        bool readCommitted = request.IsolationLevel == 1;
        long left = Math.Min(request.MaxBytes, MaxFetchBytes);
        bytes = 0;
        failed = false;
        foreach (FetchRequest.TopicItem topic in request.Topics)
        {
            var item = new FetchResponse.TopicItem { Name = topic.Name };
            foreach (FetchRequest.TopicItem.PartitionItem partition in topic.Partitions)
            {
                var answer = new FetchResponse.TopicItem.PartitionItem { Index = partition.Index, Records = ReadOnlyMemory<byte>.Empty };
                item.Partitions.Add(answer);
                if (broker.LogOf(topic.Name, partition.Index) is not { } log)
                {
                    answer.ErrorCode = (short)ErrorCode.UnknownTopicOrPartition;
                    failed = true;
                    continue;
                }

                // The first batch of an answer is given even if it is larger than asked for, so that readers always advance (KIP-74).
                LogRead read = log.Read(partition.FetchOffset, (int)Math.Max(0, Math.Min(left, partition.PartitionMaxBytes)), readCommitted, minOne: bytes == 0);
                answer.ErrorCode = (short)read.Error;
                answer.HighWatermark = read.HighWatermark;
                answer.LastStableOffset = read.LastStableOffset;
                answer.LogStartOffset = read.LogStartOffset;
                answer.Records = read.Records;
                answer.AbortedTransactions = read.Aborted?.Select(a => new FetchResponse.TopicItem.PartitionItem.AbortedTransaction { ProducerId = a.ProducerId, FirstOffset = a.FirstOffset }).ToList();
                failed |= read.Error != ErrorCode.None;
                bytes += read.Records.Length;
                left -= read.Records.Length;
            }

            response.Responses.Add(item);
        }

        return response;
    }

    private async Task WaitForAppend((AppendSignal Signal, long Version)[] seen, TimeSpan timeout)
    {
        var appended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int registered = 0;
        foreach ((AppendSignal signal, long version) in seen)
        {
            if (!signal.Register(appended, version))
            {
                appended.TrySetResult();
                break;
            }

            registered++;
        }

        ITimer timer = broker.Time.CreateTimer(state => ((TaskCompletionSource)state!).TrySetResult(), appended, timeout, Timeout.InfiniteTimeSpan);
        await using (timer.ConfigureAwait(false))
            await appended.Task.ConfigureAwait(false);
        for (int i = 0; i < registered; i++)
            seen[i].Signal.Unregister(appended);
    }
}
