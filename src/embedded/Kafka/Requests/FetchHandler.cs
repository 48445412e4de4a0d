using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>Fetch: waits for enough bytes without polling; every append wakes those who wait for its partition.</summary>
internal sealed class FetchHandler(Broker broker, ILeadership leadership)
{
    private const int MaxFetchBytes = 55 * 1024 * 1024;
    private const short TopicIdVersion = 13;

    private readonly FetchSessions _sessions = new(broker.Time);

    public ValueTask<IKafkaResponse?> Handle(RequestContext context, FetchRequest request)
    {
        ErrorCode error = _sessions.Open(request, out FetchSession? session, out bool isNew);
        if (error != ErrorCode.None)
            return new(new FetchResponse { ErrorCode = (short)error });
        var fetch = new Round(request, session, session is not null && !isNew, session?.Partitions ?? [.. FetchSession.Of(request)]);
        // Versions are taken before reading: an append in between is not missed.
        bool mayWait = request.MaxWaitMs > 0 && request.MinBytes > 0 && fetch.Partitions.Count > 0;
        (AppendSignal Signal, long Version)[] seen = mayWait ? See(fetch) : [];
        var memory = new RecordMemory();
        FetchResponse response = Read(context, fetch, memory, out long bytes, out bool failed);
        if (!mayWait || failed || bytes >= request.MinBytes)
            return new(Finish(fetch, response, memory));
        memory.Dispose();
        return Wait(context, fetch, seen);
    }

    private async ValueTask<IKafkaResponse?> Wait(RequestContext context, Round fetch, (AppendSignal Signal, long Version)[] seen)
    {
        long start = broker.Time.GetTimestamp();
        var wait = TimeSpan.FromMilliseconds(fetch.Request.MaxWaitMs);
        while (!HasEnough(context, fetch))
        {
            TimeSpan left = wait - broker.Time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
                break;
            await WaitForAppend(seen, left).ConfigureAwait(false);
            seen = See(fetch);
        }

        var memory = new RecordMemory();
        return Finish(fetch, Read(context, fetch, memory, out _, out _), memory);
    }

    // Whether there are the bytes that the reader waits for, or an error for it. They are counted, not read.
    private bool HasEnough(RequestContext context, Round fetch)
    {
        bool readCommitted = fetch.Request.IsolationLevel == 1;
        long bytes = 0;
        foreach (FetchedPartition partition in fetch.Partitions)
        {
            if (LogOf(context, partition)?.ReadableBytes(partition.FetchOffset, readCommitted) is not { } readable)
                return true;
            bytes += Math.Min(readable, Math.Max(0, partition.MaxBytes));
            if (bytes >= fetch.Request.MinBytes)
                return true;
        }

        return false;
    }

    private UnifiedLog? LogOf(RequestContext context, FetchedPartition partition) =>
        (context.Version >= TopicIdVersion ? broker.Topics.Find(partition.TopicId) : broker.Topics.Find(partition.Topic)) is { } topic
            && leadership.Check(new TopicPartition(topic.Name, partition.Index), partition.CurrentLeaderEpoch) == ErrorCode.None
            ? broker.LogOf(topic.Name, partition.Index) : null;

    private (AppendSignal Signal, long Version)[] See(Round fetch)
    {
        var seen = new List<(AppendSignal, long)>(fetch.Partitions.Count);
        foreach (FetchedPartition partition in fetch.Partitions)
        {
            string? name = partition.TopicId == Guid.Empty ? partition.Topic : broker.Topics.Find(partition.TopicId)?.Name;
            if (name is null)
                continue;
            AppendSignal signal = broker.SignalOf(new TopicPartition(name, partition.Index));
            seen.Add((signal, signal.Version));
        }

        return [.. seen];
    }

    private FetchResponse Read(RequestContext context, Round fetch, RecordMemory memory, out long bytes, out bool failed)
    {
        var response = new FetchResponse { SessionId = fetch.Session is { IsEmpty: false } session ? session.Id : 0 };
        bool readCommitted = fetch.Request.IsolationLevel == 1;
        long left = Math.Min(fetch.Request.MaxBytes, MaxFetchBytes);
        bytes = 0;
        failed = false;
        FetchResponse.TopicItem? item = null;
        foreach (FetchedPartition partition in fetch.Partitions)
        {
            // The first batch of an answer is given even if it is larger than asked for, so that readers always advance (KIP-74).
            FetchResponse.TopicItem.PartitionItem answer = Read(context, partition,
                (int)Math.Clamp(left, 0, Math.Max(0, partition.MaxBytes)), readCommitted, minOne: bytes == 0, memory);
            int length = answer.Records?.Length ?? 0;
            failed |= answer.ErrorCode != 0;
            bytes += length;
            left -= length;
            if (fetch.IsIncremental
                && length == 0
                && answer.ErrorCode == 0
                && answer.HighWatermark == partition.ToldHighWatermark
                && answer.LogStartOffset == partition.ToldStartOffset
                && answer.LastStableOffset == partition.ToldStableOffset)
                continue;
            if (item is null || item.Name != partition.Topic || item.TopicId != partition.TopicId)
                response.Responses.Add(item = new FetchResponse.TopicItem { Name = partition.Topic, TopicId = partition.TopicId });
            item.Partitions.Add(answer);
            fetch.Answers.Add((partition, answer));
        }

        return response;
    }

    private FetchResponse.TopicItem.PartitionItem Read(RequestContext context, FetchedPartition partition, int maxBytes, bool readCommitted,
        bool minOne, RecordMemory memory)
    {
        var answer = new FetchResponse.TopicItem.PartitionItem { Index = partition.Index, Records = ReadOnlyMemory<byte>.Empty };
        Topic? topic = context.Version >= TopicIdVersion ? broker.Topics.Find(partition.TopicId) : broker.Topics.Find(partition.Topic);
        if (topic is null || broker.LogOf(topic.Name, partition.Index) is not { } log)
        {
            answer.ErrorCode = (short)(topic is null && context.Version >= TopicIdVersion
                ? ErrorCode.UnknownTopicId
                : ErrorCode.UnknownTopicOrPartition);
            return answer;
        }

        if (leadership.Check(new TopicPartition(topic.Name, partition.Index), partition.CurrentLeaderEpoch) is var notLed
            and not ErrorCode.None)
        {
            answer.ErrorCode = (short)notLed;
            return answer;
        }

        LogRead read = log.Read(partition.FetchOffset, maxBytes, readCommitted, minOne, memory);
        answer.ErrorCode = (short)read.Error;
        if (read.Error == ErrorCode.None)
            (answer.HighWatermark, answer.LastStableOffset, answer.LogStartOffset) = (read.HighWatermark, read.LastStableOffset,
                read.LogStartOffset);
        answer.Records = read.Records;
        answer.AbortedTransactions = read.Aborted?.Select(a =>
            new FetchResponse.TopicItem.PartitionItem.AbortedTransaction { ProducerId = a.ProducerId, FirstOffset = a.FirstOffset }).ToList(
                );
        return answer;
    }

    private static PooledFetch Finish(Round fetch, FetchResponse response, RecordMemory memory)
    {
        // Only what is in the last answer was told; earlier rounds of the same wait were thrown away.
        var told = response.Responses.SelectMany(t => t.Partitions).ToHashSet();
        foreach ((FetchedPartition partition, FetchResponse.TopicItem.PartitionItem answer) in fetch.Answers.Where(a =>
            told.Contains(a.Answer)))
        {
            (partition.ToldHighWatermark, partition.ToldStableOffset, partition.ToldStartOffset) = answer.ErrorCode == 0
                ? (answer.HighWatermark, answer.LastStableOffset, answer.LogStartOffset)
                : (-1, -1, -1);
            if (answer.Records is { Length: > 0 })
                fetch.Session?.MoveToEnd(partition);
        }

        return new PooledFetch(response, memory);
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

        if (!appended.Task.IsCompleted)
        {
            ITimer timer = broker.Time.CreateTimer(state => ((TaskCompletionSource)state!).TrySetResult(), appended, timeout,
                Timeout.InfiniteTimeSpan);
            await using (timer.ConfigureAwait(false))
                await appended.Task.ConfigureAwait(false);
        }

        for (int i = 0; i < registered; i++)
            seen[i].Signal.Unregister(appended);
    }

    /// <summary>An answer whose records lie in pooled memory.</summary>
    private sealed class PooledFetch(FetchResponse response, RecordMemory memory) : IKafkaResponse, IDisposable
    {
        public void Write(KafkaWriter writer, short version) => response.Write(writer, version);

        public void Dispose() => memory.Dispose();
    }

    private sealed record Round(FetchRequest Request, FetchSession? Session, bool IsIncremental,
        IReadOnlyCollection<FetchedPartition> Partitions)
    {
        public List<(FetchedPartition Partition, FetchResponse.TopicItem.PartitionItem Answer)> Answers { get; } = [];
    }
}
