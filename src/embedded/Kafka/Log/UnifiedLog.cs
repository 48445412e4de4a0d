using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// The log of one partition: segments, producers, transactions. Changes take a lock; reads work on what was published last.
/// </summary>
internal sealed class UnifiedLog : IDisposable
{
    private readonly Lock _lock = new();
    private readonly ProducerStateManager _producers;
    private readonly LeaderEpochFileCache _epochs;
    private readonly TimeProvider _time;
    private readonly LogFlush _flush;
    private readonly LocalLog _local;
    private readonly LogWriteFault _fault;
    private long _logStartOffset;
    private long _logEndOffset;
    private long _stableOffset;
    private bool _closed;

    private UnifiedLog(TopicPartition partition, string directory, LogConfig config, LoadedLog loaded, TimeProvider time, ILogger logger)
    {
        (Partition, Directory, Config, _time) = (partition, directory, config, time);
        (_local, _producers, _epochs) = (new LocalLog(directory, loaded.Segments, time), loaded.Producers, loaded.Epochs);
        _fault = new LogWriteFault(partition, directory);
        (_logStartOffset, _logEndOffset) = (loaded.LogStartOffset, loaded.LogEndOffset);
        PublishStableOffset();
        LeaderEpoch = Math.Max(0, _epochs.Latest ?? 0);
        _flush = new LogFlush(_local, loaded.RecoveryPoint,
            BackgroundTimer.Create(time, logger, $"The flush of {partition}", FlushWhenDue));
    }

    /// <summary>Called after records became readable; must be quick.</summary>
    public Action? Appended { get; set; }

    public TopicPartition Partition { get; }

    public string Directory { get; }

    /// <summary>The configs; a change takes effect at the next append, read or cleaning.</summary>
    public LogConfig Config { get; set; }

    /// <summary>The leader epoch that appended batches get.</summary>
    public int LeaderEpoch { get; set; }

    public long LogStartOffset => Interlocked.Read(ref _logStartOffset);

    public long LogEndOffset => Interlocked.Read(ref _logEndOffset);

    /// <summary>The first offset that a read-committed reader must not see yet.</summary>
    public long LastStableOffset => Math.Max(Interlocked.Read(ref _stableOffset), LogStartOffset);

    /// <summary>Everything below is on disk.</summary>
    public long RecoveryPoint => _flush.RecoveryPoint;

    public long Size => _local.Size;

    /// <summary>The segments, the last one active.</summary>
    public IReadOnlyList<LogSegment> Segments => _local.Segments.All;

    /// <summary>How many bytes a start after a crash would have to check.</summary>
    public long UnflushedBytes => _flush.UnflushedBytes;

    /// <summary>Who is told when the files cannot be written, and when they can again.</summary>
    public StorageHealth? Health
    {
        get => _fault.Health;
        set => _fault.Health = value;
    }

    /// <summary>Whether the last write failed.</summary>
    public bool IsFaulted => _fault.IsFaulted;

    /// <summary>Opens a log. Without a clean shutdown, what is not known to be flushed is checked, and a torn tail is cut off.</summary>
    public static UnifiedLog Open(TopicPartition partition, string directory, LogConfig config, long logStartOffset, bool clean,
        TimeProvider time, ILogger logger, long recoveryPoint = 0)
    {
        var loaded = new LogLoader(directory, config, logStartOffset, recoveryPoint, clean, time, logger).Load();
        return new UnifiedLog(partition, directory, config, loaded, time, logger);
    }

    /// <summary>Appends a batch as a producer sent it, or batches of the broker's own; offsets are set in place.</summary>
    public AppendResult Append(Memory<byte> records, bool isClient = true)
    {
        long now = Now();
        LogConfig config = Config;
        AppendResult result = isClient
            ? LogValidator.Validate(ref records, config, Partition, now)
            : new AppendResult(RecordBatch.CheckAll(records.Span));
        if (result.Error != ErrorCode.None)
            return result;
        lock (_lock)
        {
            bool appended = false;
            try
            {
                result = AppendInLock(records.Span, config, now, isClient, ref appended);
                if (appended)
                    _fault.Written(records.Length);
            }
            catch (Exception fault) when (StorageHealth.IsFault(fault))
            {
                result = _fault.NotWritten(fault, records.Length);
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

    /// <summary>Reads from <paramref name="offset"/> on, into <paramref name="memory"/> or, without one, into new arrays.</summary>
    public LogRead Read(long offset, int maxBytes, bool readCommitted, bool minOne, RecordMemory? memory = null)
    {
        // In this order: what the stable offset and the end allow is in segments that were published before.
        long stable = LastStableOffset;
        long end = LogEndOffset;
        LogSegments segments = _local.Segments;
        long start = LogStartOffset;
        stable = Math.Min(stable, end);
        if (offset < start || offset > end)
            return new LogRead(ErrorCode.OffsetOutOfRange, default, end, stable, start, null);
        long limit = readCommitted ? stable : end;
        if (segments.TryRead(offset, limit, maxBytes, minOne, memory, readCommitted, out Memory<byte> records,
            out List<AbortedTransaction>? aborted))
            return new LogRead(ErrorCode.None, records, end, stable, start, readCommitted ? aborted ?? [] : null);
        return Volatile.Read(ref _closed)
            ? new LogRead(ErrorCode.UnknownTopicOrPartition, default, -1, -1, -1, null)
            : Read(offset, maxBytes, readCommitted, minOne, memory);
    }

    /// <summary>How many bytes a read could give, counted from positions without reading them; null when it would fail.</summary>
    public long? ReadableBytes(long offset, bool readCommitted)
    {
        long stable = LastStableOffset;
        long end = LogEndOffset;
        LogSegments segments = _local.Segments;
        if (offset < LogStartOffset || offset > end || Volatile.Read(ref _closed))
            return null;
        return segments.TryCount(offset, readCommitted ? Math.Min(stable, end) : end, out long bytes)
            ? bytes
            : ReadableBytes(offset, readCommitted);
    }

    /// <summary>The offset and timestamp of the first record at or after <paramref name="timestamp"/>; null when there is none.</summary>
    public (long Offset, long Timestamp)? OffsetForTimestamp(long timestamp)
    {
        long start = LogStartOffset;
        return _local.Segments.TryFind(timestamp, start, out (long Offset, long Timestamp)? found) ? found
            : Volatile.Read(ref _closed) ? null
            : OffsetForTimestamp(timestamp);
    }

    /// <summary>The largest timestamp and the offset of its first record (ListOffsets -3); null when no record has one.</summary>
    public (long Offset, long Timestamp)? MaxTimestamp()
    {
        LogSegment newest = _local.Segments.All.MaxBy(s => s.MaxTimestamp)!;
        return newest.MaxTimestamp < 0 ? null : OffsetForTimestamp(newest.MaxTimestamp);
    }

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
    public IReadOnlyList<(long ProducerId, short Epoch, int LastSequence, long LastTimestamp, int CoordinatorEpoch,
        long TransactionStart)> DescribeProducers()
    {
        lock (_lock)
            return [.. _producers.Producers.Values.Select(p =>
                (p.ProducerId, p.Epoch, p.LastSequence, p.LastTimestamp, p.CoordinatorEpoch, p.CurrentTransactionFirstOffset))];
    }

    /// <summary>Transactions that were aborted and whose records are partly in the given range.</summary>
    public IReadOnlyList<AbortedTransaction> CollectAborted(long start, long end) => _local.Segments.CollectAborted(start, end);

    /// <summary>Starts a new segment.</summary>
    public void RollSegment()
    {
        lock (_lock)
        {
            if (_local.Active.Size > 0)
                Roll();
        }
    }

    /// <summary>Advances the start of the log; segments below it are deleted. -1 means the end.</summary>
    public ErrorCode DeleteRecords(long offset)
    {
        lock (_lock)
        {
            if (!Config.Deletes)
                return ErrorCode.PolicyViolation;
            long target = offset == -1 ? _logEndOffset : offset;
            if (target > _logEndOffset || target < 0)
                return ErrorCode.OffsetOutOfRange;
            AdvanceStart(target);
            return ErrorCode.None;
        }
    }

    /// <summary>Deletes segments that are too old or too many, producers that are silent for long, and files whose time is over.</summary>
    public void ApplyRetention()
    {
        long now = Now();
        lock (_lock)
        {
            if (_closed)
                return;
            // First what gives room, and needs none.
            _local.RemoveDoomed(now);
            _producers.RemoveExpired(now);
            DeleteBelowStart();
            if (Config.Deletes)
            {
                DeleteOldest(LogRetention.CountExcess(_local.Segments, Config));
                DeleteOldest(LogRetention.CountExpired(_local.Segments, Config, now));
            }

            _local.RemoveDoomed(now);
        }
    }

    /// <summary>Makes all records so far outlive the machine, with indexes and producers; appends go on meanwhile.</summary>
    public void Flush()
    {
        IReadOnlyList<LogSegment> segments;
        long end;
        long bytes;
        lock (_lock)
        {
            if (_closed || _logEndOffset == _flush.RecoveryPoint)
                return;
            (segments, end, bytes) = (_flush.Segments, _logEndOffset, _flush.UnflushedBytes);
            _local.Active.CutTornWrite();
            _local.Active.WriteIndexes();
            _producers.TakeSnapshot();
            _producers.RemoveStraySnapshots(_local.Segments.All.Select(s => s.BaseOffset));
        }

        LogFlush.Flush(segments);
        lock (_lock)
            _flush.Flushed(end, bytes);
    }

    /// <summary>Replaces segments with the one that compaction made of them; a crash leaves the old ones or the new one.</summary>
    public bool ReplaceSegments(LogSegment cleaned, IReadOnlyList<LogSegment> old)
    {
        lock (_lock)
        {
            if (_closed || !_local.Replace(cleaned, old, Config))
                return false; // retention was faster
            foreach (LogSegment segment in old.Skip(1))
                _producers.DeleteSnapshot(segment.BaseOffset);
            return true;
        }
    }

    /// <summary>Of each producer what a compaction must keep: the offset of its last data, or -1 and its epoch.</summary>
    public Dictionary<long, (long LastDataOffset, short Epoch)> LastRecordsOfActiveProducers()
    {
        lock (_lock)
            return _producers.Producers.Values.ToDictionary(p => p.ProducerId, p => (p.LastDataOffset, p.Epoch));
    }

    /// <summary>Ends the use of the log with everything on disk: the next start has nothing to check.</summary>
    public void Close()
    {
        Flush();
        lock (_lock)
        {
            if (_closed)
                return;
            _local.Close();
            _producers.TakeSnapshot();
        }

        Dispose();
    }

    /// <summary>Tries to write what was refused last, behind the records and without a trace, and tells <see cref="Health"/>.</summary>
    public void TryWrite()
    {
        lock (_lock)
            _fault.TryWrite(_closed ? null : _local.Active);
    }

    /// <summary>Ends the use of the log as it is, as a crash would.</summary>
    public void Dispose()
    {
        _flush.Dispose();
        lock (_lock)
        {
            Volatile.Write(ref _closed, true);
            _local.Dispose();
        }
    }

    private long Now() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private AppendResult AppendInLock(Span<byte> records, LogConfig config, long now, bool isClient, ref bool appended)
    {
        if (_closed)
            return new AppendResult(ErrorCode.UnknownTopicOrPartition, Message: "The partition was deleted.");
        if (records.Length > config.SegmentBytes)
            return LogValidator.LargerThanSegment(records.Length, Partition, config);
        long baseOffset = _logEndOffset;
        if (!LogAppendInfo.TryAssign(records, this, _producers, config, isClient, out LogAppendInfo info, out AppendResult result))
            return result;

        LogSegment active = _local.Active;
        if (active.ShouldRoll(config, now, records.Length, info.Max.Timestamp, info.NextOffset - 1))
            active = Roll();
        _epochs.Assign(LeaderEpoch, baseOffset);
        active.Append(records, info.NextOffset - 1, info.Max, config.IndexIntervalBytes);
        appended = true;
        // First the end: should what follows fail, no later append takes the same offsets.
        Interlocked.Exchange(ref _logEndOffset, info.NextOffset);
        LogAppendInfo.Update(_producers, records, active);
        PublishStableOffset();
        _flush.Appended(records.Length, info.NextOffset, config);
        return new AppendResult(ErrorCode.None, baseOffset, config.StampsAppendTime ? now : -1);
    }

    private void PublishStableOffset() => Interlocked.Exchange(ref _stableOffset,
        Math.Max(_producers.FirstUnstableOffset ?? _logEndOffset, _logStartOffset));

    private void FlushWhenDue()
    {
        lock (_lock)
        {
            _flush.Begin();
            if (_closed)
                return;
            try
            {
                _flush.Flush(_logEndOffset);
            }
            catch (Exception fault) when (StorageHealth.IsFault(fault))
            {
                _fault.NotWritten(fault, 0);
                _flush.TryAgain();
            }
        }
    }

    private LogSegment Roll()
    {
        LogSegment next = _local.Roll(Config, _logEndOffset);
        _producers.TakeSnapshot();
        return next;
    }

    private void AdvanceStart(long offset)
    {
        if (offset <= _logStartOffset)
            return;
        Interlocked.Exchange(ref _logStartOffset, offset);
        PublishStableOffset();
        DeleteBelowStart();
        _epochs.TruncateFromStart(offset); // the last: it writes, and what is above gives room for it
    }

    private void DeleteBelowStart()
    {
        int count = _local.CountBelow(_logStartOffset);
        if (count == 0)
            return;
        _local.DeleteFirst(count, Config);
        _producers.DeleteSnapshotsBelow(_local.Segments[0].BaseOffset);
    }

    private void DeleteOldest(int count)
    {
        if (count == 0)
            return;
        LogSegments segments = _local.Segments;
        AdvanceStart(segments[Math.Min(count, segments.Count - 1)].BaseOffset); // for a new segment there may be no room yet
        if (count == segments.Count)
            AdvanceStart(Roll().BaseOffset);
    }
}
