using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>What became of an append.</summary>
internal readonly record struct AppendResult(ErrorCode Error, long BaseOffset = -1, long LogAppendTime = -1, string? Message = null, IReadOnlyList<RecordError>? RecordErrors = null);

/// <summary>What a read found. Records are whole batches.</summary>
internal readonly record struct LogRead(ErrorCode Error, Memory<byte> Records, long HighWatermark, long LastStableOffset, long LogStartOffset, IReadOnlyList<AbortedTransaction>? Aborted);

/// <summary>
/// The log of one partition: segments, producers, transactions. One lock for what changes it; reads take none: they work on the list of segments and the bounds as they were published last.
/// </summary>
internal sealed partial class UnifiedLog : IDisposable
{
    private readonly Lock _lock = new();
    private readonly ProducerStateManager _producers;
    private readonly LeaderEpochFileCache _epochs;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer _flushTimer;
    private LogSegment[] _segments;
    private long _logStartOffset;
    private long _logEndOffset;
    private long _stableOffset;
    private long _recoveryPoint;
    private long _unflushedBytes;
    private bool _flushIsDue;
    private bool _closed;

    private UnifiedLog(TopicPartition partition, string directory, LogConfig config, LoadedLog loaded, TimeProvider time, ILogger logger)
    {
        (Partition, Directory, Config, _time, _logger) = (partition, directory, config, time, logger);
        (_segments, _producers, _epochs) = ([.. loaded.Segments], loaded.Producers, loaded.Epochs);
        (_logStartOffset, _logEndOffset, _recoveryPoint) = (loaded.LogStartOffset, loaded.LogEndOffset, loaded.RecoveryPoint);
        PublishStableOffset();
        LeaderEpoch = Math.Max(0, _epochs.Latest ?? 0);
        _flushTimer = BackgroundTimer.Create(time, logger, $"The flush of {partition}", FlushWhenDue);
    }

    /// <summary>Called after records became readable; must be quick.</summary>
    public Action? Appended { get; set; }

    public TopicPartition Partition { get; }

    public string Directory { get; private set; }

    /// <summary>The configs; a change takes effect at the next append, read or cleaning.</summary>
    public LogConfig Config { get; set; }

    /// <summary>The leader epoch that appended batches get.</summary>
    public int LeaderEpoch { get; set; }

    public long LogStartOffset => Interlocked.Read(ref _logStartOffset);

    public long LogEndOffset => Interlocked.Read(ref _logEndOffset);

    /// <summary>The first offset that a read-committed reader must not see yet.</summary>
    public long LastStableOffset => Math.Max(Interlocked.Read(ref _stableOffset), LogStartOffset);

    /// <summary>Everything below is on disk.</summary>
    public long RecoveryPoint => Interlocked.Read(ref _recoveryPoint);

    public long Size => Segments.Sum(s => s.Size);

    /// <summary>The segments, the last one active.</summary>
    public IReadOnlyList<LogSegment> Segments => Volatile.Read(ref _segments);

    /// <summary>Opens the log in <paramref name="directory"/>. Without a clean shutdown, what is not known to be flushed is checked batch by batch, and a torn tail is cut off.</summary>
    public static UnifiedLog Open(TopicPartition partition, string directory, LogConfig config, long logStartOffset, bool clean, TimeProvider time, ILogger logger, long recoveryPoint = 0)
    {
        var loaded = new LogLoader(directory, config, logStartOffset, recoveryPoint, clean, time, logger).Load();
        return new UnifiedLog(partition, directory, config, loaded, time, logger);
    }

    /// <summary>Appends a batch as a producer sent it, or batches of the broker's own; offsets are set in place.</summary>
    public AppendResult Append(Memory<byte> records, bool isClient = true)
    {
        long now = Now();
        LogConfig config = Config;
        AppendResult result = isClient ? LogValidator.Validate(ref records, config, Partition, now) : CheckWhole(records.Span);
        if (result.Error != ErrorCode.None)
            return result;
        lock (_lock)
        {
            bool appended = false;
            try
            {
                result = AppendInLock(records.Span, config, now, isClient, ref appended);
                if (appended)
                    Written(records.Length);
            }
            catch (Exception fault) when (StorageHealth.IsFault(fault))
            {
                result = NotWritten(fault, records.Length);
            }

            if (!appended)
                return result;
        }

        Appended?.Invoke();
        return result;
    }

    /// <summary>Ends a producer's transaction here; refused when the producer was fenced by a newer epoch.</summary>
    public AppendResult AppendEndTransactionMarker(long producerId, short producerEpoch, bool commit, int coordinatorEpoch) =>
        Append(RecordBatchBuilder.EndTransactionMarker(producerId, producerEpoch, commit, coordinatorEpoch, Now()), isClient: false);

    /// <summary>Reads from <paramref name="offset"/> on, into <paramref name="memory"/> or, without one, into arrays of their own.</summary>
    public LogRead Read(long offset, int maxBytes, bool readCommitted, bool minOne, RecordMemory? memory = null)
    {
        // In this order: what the stable offset and the end allow is in segments that were published before.
        long stable = LastStableOffset;
        long end = LogEndOffset;
        LogSegment[] segments = Volatile.Read(ref _segments);
        long start = LogStartOffset;
        stable = Math.Min(stable, end);
        if (offset < start || offset > end)
            return new LogRead(ErrorCode.OffsetOutOfRange, default, end, stable, start, null);
        long limit = readCommitted ? stable : end;
        for (int at = FloorIndex(segments, offset); at < segments.Length && offset < limit; at++)
        {
            LogSegment segment = segments[at];
            if (!segment.TryEnter())
            {
                // It was replaced or deleted just now.
                return Volatile.Read(ref _closed) ? new LogRead(ErrorCode.UnknownTopicOrPartition, default, -1, -1, -1, null) : Read(offset, maxBytes, readCommitted, minOne, memory);
            }

            try
            {
                Memory<byte> records = segment.Read(offset, maxBytes, minOne, limit, memory, out long next);
                if (records.Length > 0)
                    return new LogRead(ErrorCode.None, records, end, stable, start, readCommitted ? CollectAborted(segments, at, offset, next) : null);
                if (segment.Translate(offset, segment.Size) is not null)
                    break; // there is a batch, but it may not be read, or does not fit
            }
            finally
            {
                segment.Leave();
            }
        }

        return new LogRead(ErrorCode.None, default, end, stable, start, readCommitted ? [] : null);
    }

    /// <summary>How many bytes a read from <paramref name="offset"/> on could give, counted from positions without reading them; null when such a read would fail.</summary>
    public long? ReadableBytes(long offset, bool readCommitted)
    {
        long stable = LastStableOffset;
        long end = LogEndOffset;
        LogSegment[] segments = Volatile.Read(ref _segments);
        if (offset < LogStartOffset || offset > end || Volatile.Read(ref _closed))
            return null;
        long limit = readCommitted ? Math.Min(stable, end) : end;
        long bytes = 0;
        for (int at = FloorIndex(segments, offset); at < segments.Length && offset < limit && segments[at].BaseOffset < limit; at++)
        {
            LogSegment segment = segments[at];
            if (!segment.TryEnter())
                return ReadableBytes(offset, readCommitted);
            try
            {
                bytes += segment.BytesBetween(offset, limit);
            }
            finally
            {
                segment.Leave();
            }
        }

        return bytes;
    }

    /// <summary>The offset and timestamp of the first record at or after <paramref name="timestamp"/>; null when there is none.</summary>
    public (long Offset, long Timestamp)? OffsetForTimestamp(long timestamp)
    {
        long start = LogStartOffset;
        foreach (LogSegment segment in Volatile.Read(ref _segments))
        {
            if (segment.LargestTimestamp < timestamp || segment.Size == 0)
                continue;
            if (!segment.TryEnter())
                return Volatile.Read(ref _closed) ? null : OffsetForTimestamp(timestamp);
            try
            {
                if (segment.FindByTimestamp(timestamp, start) is { } found)
                    return (found.Offset, found.Timestamp);
            }
            finally
            {
                segment.Leave();
            }
        }

        return null;
    }

    /// <summary>The largest timestamp and the offset of its first record (ListOffsets -3); null when no record has one.</summary>
    public (long Offset, long Timestamp)? MaxTimestamp()
    {
        LogSegment newest = Volatile.Read(ref _segments).MaxBy(s => s.MaxTimestamp)!;
        return newest.MaxTimestamp < 0 ? null : OffsetForTimestamp(newest.MaxTimestamp);
    }

    /// <summary>The first offset on this node's disk (ListOffsets -4): without tiered storage, the start of the log.</summary>
    public long EarliestLocalOffset => LogStartOffset;

    /// <summary>The last offset in tiered storage (ListOffsets -5): there is none.</summary>
    public static long LatestTieredOffset => -1;

    /// <summary>The leader epoch of an offset, as ListOffsets and OffsetForLeaderEpoch tell it; -1 when not known.</summary>
    public int LeaderEpochOf(long offset)
    {
        lock (_lock)
            return _epochs.EpochOf(offset);
    }

    /// <summary>Where an epoch ends (OffsetForLeaderEpoch); (-1, -1) when it is not known.</summary>
    public (int Epoch, long EndOffset) EndOffsetForEpoch(int epoch)
    {
        lock (_lock)
            return _epochs.EndOffsetFor(epoch, LogEndOffset);
    }

    /// <summary>The producers that this log knows.</summary>
    public IReadOnlyList<(long ProducerId, short Epoch, int LastSequence, long LastTimestamp, int CoordinatorEpoch, long TransactionStart)> DescribeProducers()
    {
        lock (_lock)
            return [.. _producers.Producers.Values.Select(p => (p.ProducerId, p.Epoch, p.LastSequence, p.LastTimestamp, p.CoordinatorEpoch, p.CurrentTransactionFirstOffset))];
    }

    /// <summary>Transactions that were aborted and whose records are partly in the given range.</summary>
    public IReadOnlyList<AbortedTransaction> CollectAborted(long startOffset, long endOffset)
    {
        LogSegment[] segments = Volatile.Read(ref _segments);
        return CollectAborted(segments, FloorIndex(segments, startOffset), startOffset, endOffset);
    }

    private static AppendResult CheckWhole(ReadOnlySpan<byte> records)
    {
        while (records.Length > 0)
        {
            ErrorCode error = RecordBatch.Check(records);
            if (error != ErrorCode.None)
                return new AppendResult(error);
            records = records[(RecordBatch.LogOverhead + System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(records[8..]))..];
        }

        return default;
    }

    private static int FloorIndex(LogSegment[] segments, long offset)
    {
        int low = 0;
        int high = segments.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (segments[middle].BaseOffset <= offset)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return Math.Max(0, high);
    }

    // Kafka's rule: an entry whose last stable offset reaches the upper bound shows that no later one can concern the range.
    private static List<AbortedTransaction> CollectAborted(LogSegment[] segments, int first, long offset, long upperBound)
    {
        var found = new List<AbortedTransaction>();
        for (int i = first; i < segments.Length; i++)
        {
            foreach (ref readonly AbortedTransaction aborted in segments[i].AbortedTransactions)
            {
                if (aborted.LastOffset >= offset && aborted.FirstOffset < upperBound)
                    found.Add(aborted);
                if (aborted.LastStableOffset >= upperBound)
                    return found;
            }
        }

        return found;
    }

    private long Now() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private AppendResult AppendInLock(Span<byte> records, LogConfig config, long now, bool isClient, ref bool appended)
    {
        if (_closed)
            return new AppendResult(ErrorCode.UnknownTopicOrPartition, Message: "The partition was deleted.");
        if (records.Length > config.SegmentBytes)
            return new AppendResult(ErrorCode.RecordListTooLarge, Message: string.Create(CultureInfo.InvariantCulture, $"Message batch size is {records.Length} bytes in append to partition {Partition}, which exceeds the maximum configured segment size of {config.SegmentBytes}."));
        long baseOffset = _logEndOffset;
        long next = baseOffset;
        var max = new TimestampOffset(-1, baseOffset);
        for (int at = 0; at < records.Length;)
        {
            var batch = new RecordBatch(records[at..]);
            if (batch.HasProducerId)
            {
                (ErrorCode error, string? message) = _producers.Check(batch, isClient, next, Partition, out BatchMetadata? duplicate);
                if (error != ErrorCode.None)
                    return new AppendResult(error, Message: message);
                if (duplicate is { } stands)
                    return new AppendResult(ErrorCode.None, stands.FirstOffset, config.StampsAppendTime ? stands.Timestamp : -1);
            }

            batch.BaseOffset = next;
            batch.PartitionLeaderEpoch = LeaderEpoch;
            next = batch.NextOffset;
            if (batch.MaxTimestamp > max.Timestamp)
                max = new TimestampOffset(batch.MaxTimestamp, batch.LastOffset);
            at += batch.Size;
        }

        LogSegment active = _segments[^1];
        if (active.ShouldRoll(config, now, records.Length, max.Timestamp, next - 1))
            active = Roll();
        _epochs.Assign(LeaderEpoch, baseOffset);
        active.Append(records, next - 1, max, config.IndexIntervalBytes);
        appended = true;
        // First the end: should what follows fail, no later append takes the same offsets.
        Interlocked.Exchange(ref _logEndOffset, next);
        for (int at = 0; at < records.Length;)
        {
            var batch = new RecordBatch(records[at..]);
            if (_producers.Update(batch) is { } aborted)
                active.AppendAborted(aborted);
            at += batch.Size;
        }

        PublishStableOffset();
        _unflushedBytes += records.Length;
        if (next - _recoveryPoint >= config.FlushMessages)
        {
            FlushInLock();
        }
        else if (config.FlushMs != long.MaxValue && !_flushIsDue)
        {
            _flushIsDue = true;
            _flushTimer.Change(TimeSpan.FromMilliseconds(Math.Min(config.FlushMs, int.MaxValue)), Timeout.InfiniteTimeSpan);
        }

        return new AppendResult(ErrorCode.None, baseOffset, config.StampsAppendTime ? now : -1);
    }

    private void PublishStableOffset() => Interlocked.Exchange(ref _stableOffset, Math.Max(_producers.FirstUnstableOffset ?? _logEndOffset, _logStartOffset));
}
