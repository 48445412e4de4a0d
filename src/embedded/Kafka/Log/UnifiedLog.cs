using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>What became of an append. BadRecords: the places, in the batch, of the records that it was refused for; null when no single record is to blame.</summary>
internal readonly record struct AppendResult(ErrorCode Error, long BaseOffset = -1, long LogAppendTime = -1, string? Message = null, IReadOnlyList<int>? BadRecords = null)
{
    /// <summary>What a producer is told of each of <see cref="BadRecords"/>.</summary>
    public const string KeylessRecord = "Compacted topic cannot accept message without key in topic partition.";
}

/// <summary>What a read found. Records are whole batches.</summary>
internal readonly record struct LogRead(ErrorCode Error, byte[] Records, long HighWatermark, long LastStableOffset, long LogStartOffset, IReadOnlyList<AbortedTransaction>? Aborted);

/// <summary>The log of one partition: segments, producers, transactions. One lock for writers; readers take it only to learn the bounds.</summary>
internal sealed partial class UnifiedLog : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<LogSegment> _segments = [];
    private readonly Dictionary<long, ProducerState> _producers = [];
    private readonly List<AbortedTransaction> _aborted = [];
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private long _unflushed;

    private UnifiedLog(TopicPartition partition, string directory, LogConfig config, TimeProvider time, ILogger logger) =>
        (Partition, Directory, Config, _time, _logger) = (partition, directory, config, time, logger);

    /// <summary>Called after records became readable; must be quick.</summary>
    public Action? Appended { get; set; }

    public TopicPartition Partition { get; }

    public string Directory { get; }

    public LogConfig Config { get; set; }

    public long LogStartOffset { get; private set; }

    public long LogEndOffset { get; private set; }

    /// <summary>The first offset that a read-committed reader must not see yet.</summary>
    public long LastStableOffset
    {
        get
        {
            lock (_lock)
                return StableOffset();
        }
    }

    public long Size
    {
        get
        {
            lock (_lock)
                return _segments.Sum(s => s.Size);
        }
    }

    /// <summary>Opens the log in <paramref name="directory"/>. Without a clean shutdown the last segment is checked batch by batch, and a torn tail is cut off.</summary>
    public static UnifiedLog Open(TopicPartition partition, string directory, LogConfig config, long logStartOffset, bool clean, TimeProvider time, ILogger logger)
    {
        System.IO.Directory.CreateDirectory(directory);
        var log = new UnifiedLog(partition, directory, config, time, logger);
        log.Load(clean);
        log.LogStartOffset = Math.Max(logStartOffset, log._segments[0].BaseOffset);
        return log;
    }

    /// <summary>Appends batches as a producer sent them; offsets are set in place.</summary>
    public AppendResult Append(Memory<byte> records, bool isClient = true)
    {
        long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        AppendResult result;
        lock (_lock)
        {
            result = Validate(records.Span, isClient, out long duplicateOf);
            if (result.Error != ErrorCode.None)
                return result;
            if (duplicateOf >= 0)
                return new AppendResult(ErrorCode.None, duplicateOf);
            result = AppendValidated(records.Span, now);
        }

        Appended?.Invoke();
        return result;
    }

    /// <summary>Ends a producer's transaction here.</summary>
    public void AppendEndTransactionMarker(long producerId, short producerEpoch, bool commit, int coordinatorEpoch)
    {
        long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        byte[] marker = RecordBatchBuilder.EndTransactionMarker(producerId, producerEpoch, commit, coordinatorEpoch, now);
        lock (_lock)
            AppendValidated(marker, now);
        Appended?.Invoke();
    }

    /// <summary>Reads from <paramref name="offset"/> on.</summary>
    public LogRead Read(long offset, int maxBytes, bool readCommitted, bool minOne)
    {
        LogSegment[] candidates;
        long start;
        long end;
        long stable;
        AbortedTransaction[]? aborted = null;
        lock (_lock)
        {
            (start, end, stable) = (LogStartOffset, LogEndOffset, StableOffset());
            if (offset < start || offset > end)
                return new LogRead(ErrorCode.OffsetOutOfRange, [], end, stable, start, null);
            int first = _segments.FindLastIndex(s => s.BaseOffset <= offset);
            candidates = [.. _segments.Skip(Math.Max(0, first))];
            if (readCommitted)
                aborted = [.. _aborted.Where(a => a.LastOffset >= offset)];
        }

        long limit = readCommitted ? stable : end;
        if (offset >= limit)
            return new LogRead(ErrorCode.None, [], end, stable, start, readCommitted ? [] : null);
        foreach (LogSegment segment in candidates)
        {
            if (segment.NextOffset <= offset || !segment.TryEnter())
                continue;
            try
            {
                byte[] records = segment.Read(offset, maxBytes, minOne, limit);
                if (records.Length > 0 || segment == candidates[^1])
                    return new LogRead(ErrorCode.None, records, end, stable, start, aborted is null ? null : Relevant(aborted, records));
            }
            finally
            {
                segment.Leave();
            }

            break;
        }

        return new LogRead(ErrorCode.None, [], end, stable, start, readCommitted ? [] : null);
    }

    /// <summary>The offset and timestamp of the first record at or after <paramref name="timestamp"/>; null when there is none.</summary>
    public (long Offset, long Timestamp)? OffsetForTimestamp(long timestamp)
    {
        LogSegment[] segments;
        lock (_lock)
            segments = [.. _segments];
        foreach (LogSegment segment in segments)
        {
            if (segment.NextOffset <= LogStartOffset || !segment.TryEnter())
                continue;
            try
            {
                if (segment.FindTimestamp(timestamp) is not { } batch)
                    continue;
                var header = new RecordBatch(batch);
                (long baseOffset, long baseTimestamp) = (header.BaseOffset, header.BaseTimestamp);
                foreach (LogRecord record in RecordReader.Read(batch))
                {
                    if (baseTimestamp + record.TimestampDelta >= timestamp && baseOffset + record.OffsetDelta >= LogStartOffset)
                        return (baseOffset + record.OffsetDelta, baseTimestamp + record.TimestampDelta);
                }
            }
            finally
            {
                segment.Leave();
            }
        }

        return null;
    }

    /// <summary>The largest timestamp and the offset of its record; null when the log is empty.</summary>
    public (long Offset, long Timestamp)? MaxTimestamp()
    {
        long max;
        lock (_lock)
            max = _segments.Max(s => s.MaxTimestamp);
        return max < 0 ? null : OffsetForTimestamp(max);
    }

    /// <summary>The producers that this log knows.</summary>
    public IReadOnlyList<(long ProducerId, short Epoch, int LastSequence, long LastTimestamp, long TransactionStart)> DescribeProducers()
    {
        lock (_lock)
            return [.. _producers.Select(p => (p.Key, p.Value.Epoch, p.Value.LastSequence, p.Value.LastTimestamp, p.Value.FirstTransactionOffset))];
    }

    /// <summary>Advances the start of the log; segments below it are deleted. -1 means the end.</summary>
    public ErrorCode DeleteRecords(long offset)
    {
        lock (_lock)
        {
            long target = offset == -1 ? LogEndOffset : offset;
            if (target > LogEndOffset || target < 0)
                return ErrorCode.OffsetOutOfRange;
            LogStartOffset = Math.Max(LogStartOffset, target);
            DropBelowStart();
            return ErrorCode.None;
        }
    }

    /// <summary>Deletes segments that are too old, or too many.</summary>
    public void ApplyRetention()
    {
        if (!Config.Deletes)
            return;
        long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        lock (_lock)
        {
            if (Config.RetentionMs >= 0)
            {
                while (_segments[0].Size > 0 && _segments[0].MaxTimestamp >= 0 && now - _segments[0].MaxTimestamp > Config.RetentionMs && _segments[0].NextOffset <= StableOffset())
                {
                    if (_segments.Count == 1)
                        Roll();
                    LogStartOffset = Math.Max(LogStartOffset, _segments[0].NextOffset);
                    DropBelowStart();
                }
            }

            if (Config.RetentionBytes >= 0)
            {
                long excess = _segments.Sum(s => s.Size) - Config.RetentionBytes;
                while (_segments.Count > 1 && excess >= _segments[0].Size && _segments[0].NextOffset <= StableOffset())
                {
                    excess -= _segments[0].Size;
                    LogStartOffset = Math.Max(LogStartOffset, _segments[0].NextOffset);
                    DropBelowStart();
                }
            }
        }
    }

    /// <summary>The segments that a compaction may rewrite: all but the active one, up to the last stable offset.</summary>
    public IReadOnlyList<LogSegment> CleanableSegments()
    {
        lock (_lock)
        {
            long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
            if (_segments[^1].Size > 0 && _segments[^1].FirstAppend is { } first && (_time.GetUtcNow() - first).TotalMilliseconds >= Config.SegmentMs)
                Roll();
            return [.. _segments.Take(_segments.Count - 1).TakeWhile(s => s.NextOffset <= StableOffset() && now - s.MaxTimestamp >= Config.MinCompactionLagMs)];
        }
    }

    /// <summary>Puts <paramref name="cleaned"/> (a file beside it) in the place of <paramref name="segment"/>.</summary>
    public void Replace(LogSegment segment, string cleaned)
    {
        lock (_lock)
        {
            int at = _segments.IndexOf(segment);
            if (at < 0)
            {
                File.Delete(cleaned);
                return;
            }

            segment.Delete();
            File.Move(cleaned, segment.Path, overwrite: true);
            LogSegment replacement = LogSegment.Open(Directory, segment.BaseOffset);
            replacement.Scan(checkCrc: false, Config.IndexIntervalBytes, (_, _) => { });
            _segments[at] = replacement;
        }
    }

    /// <summary>Makes everything outlive the machine, and writes the indexes.</summary>
    public void Close()
    {
        lock (_lock)
        {
            foreach (LogSegment segment in _segments)
            {
                segment.Flush();
                segment.WriteIndexes();
            }
        }

        Dispose();
    }

    public void Dispose()
    {
        lock (_lock)
            _segments.ForEach(s => s.Dispose());
    }

    private static AbortedTransaction[] Relevant(AbortedTransaction[] aborted, byte[] records)
    {
        if (records.Length == 0 || aborted.Length == 0)
            return [];
        long last = -1;
        for (int at = 0; at < records.Length;)
        {
            var batch = new RecordBatch(records.AsSpan(at));
            last = batch.LastOffset;
            at += batch.Size;
        }

        return [.. aborted.Where(a => a.FirstOffset <= last)];
    }

    private long StableOffset()
    {
        long stable = LogEndOffset;
        foreach (ProducerState producer in _producers.Values)
        {
            if (producer.FirstTransactionOffset >= 0 && producer.FirstTransactionOffset < stable)
                stable = producer.FirstTransactionOffset;
        }

        return stable;
    }

    private AppendResult Validate(Span<byte> records, bool isClient, out long duplicateOf)
    {
        duplicateOf = -1;
        if (records.Length == 0)
            return new AppendResult(ErrorCode.InvalidRecord, Message: "The request has no records.");
        for (int at = 0; at < records.Length;)
        {
            ErrorCode error = RecordBatch.Check(records[at..]);
            if (error != ErrorCode.None)
                return new AppendResult(error);
            var batch = new RecordBatch(records[at..]);
            if (batch.Size > Config.MaxMessageBytes && isClient)
                return new AppendResult(ErrorCode.MessageTooLarge, Message: string.Create(CultureInfo.InvariantCulture, $"The record batch has {batch.Size} bytes; max.message.bytes is {Config.MaxMessageBytes}."));
            if (!batch.HasValidCrc)
                return new AppendResult(ErrorCode.CorruptMessage);
            if (batch.RecordCount < 1 || batch.LastOffsetDelta != batch.RecordCount - 1 || (isClient && batch.IsControl))
                return new AppendResult(ErrorCode.InvalidRecord, Message: "The record count does not fit the offsets, or the batch is a control batch.");
            if (isClient && Config.Compacts && Keyless(records.Slice(at, batch.Size)) is { Count: > 0 } keyless)
                return new AppendResult(ErrorCode.InvalidRecord, Message: $"One or more records have been rejected: {AppendResult.KeylessRecord}", BadRecords: keyless);
            if (batch.ProducerId >= 0)
            {
                error = CheckProducer(batch, out duplicateOf);
                if (error != ErrorCode.None)
                    return new AppendResult(error);
            }

            at += batch.Size;
        }

        return default;
    }

    private static List<int> Keyless(Span<byte> batch)
    {
        var places = new List<int>();
        List<LogRecord> records = RecordReader.Read(batch.ToArray());
        for (int i = 0; i < records.Count; i++)
        {
            if (records[i].Key is null)
                places.Add(i);
        }

        return places;
    }

    private ErrorCode CheckProducer(in RecordBatch batch, out long duplicateOf)
    {
        duplicateOf = -1;
        // A producer that this log does not know (any more) may go on where it is (KIP-360).
        if (!_producers.TryGetValue(batch.ProducerId, out ProducerState? producer))
            return ErrorCode.None;
        return batch.BaseSequence < 0 ? ErrorCode.None : producer.Check(batch, out duplicateOf);
    }

    private AppendResult AppendValidated(Span<byte> records, long now)
    {
        LogSegment active = _segments[^1];
        if (active.Size > 0 && (active.Size + records.Length > Config.SegmentBytes || (active.FirstAppend is { } first && (_time.GetUtcNow() - first).TotalMilliseconds >= Config.SegmentMs)))
            active = Roll();

        long baseOffset = LogEndOffset;
        long next = baseOffset;
        long maxTimestamp = -1;
        for (int at = 0; at < records.Length;)
        {
            var batch = new RecordBatch(records[at..]) { BaseOffset = next, PartitionLeaderEpoch = 0 };
            if (Config.StampsAppendTime)
                batch.SetLogAppendTime(now);
            next = batch.LastOffset + 1;
            maxTimestamp = Math.Max(maxTimestamp, batch.MaxTimestamp);
            at += batch.Size;
        }

        active.Append(records, baseOffset, next, maxTimestamp, Config.IndexIntervalBytes);
        active.FirstAppend ??= _time.GetUtcNow();
        for (int at = 0; at < records.Length;)
        {
            var batch = new RecordBatch(records[at..]);
            Remember(batch);
            at += batch.Size;
        }

        LogEndOffset = next;
        _unflushed += next - baseOffset;
        if (_unflushed >= Config.FlushMessages)
        {
            active.Flush();
            _unflushed = 0;
        }

        return new AppendResult(ErrorCode.None, baseOffset, Config.StampsAppendTime ? now : -1);
    }

    private void Remember(RecordBatch batch)
    {
        if (batch.ProducerId < 0)
            return;
        if (!_producers.TryGetValue(batch.ProducerId, out ProducerState? producer))
            _producers.Add(batch.ProducerId, producer = new ProducerState(batch.ProducerEpoch));
        if (!batch.IsControl)
        {
            producer.Append(batch);
            return;
        }

        long first = producer.End(batch.ProducerEpoch);
        // The key of a marker: version, then 0 for abort and 1 for commit.
        bool commit = IsCommit(batch.Records);
        if (first >= 0 && !commit)
            _aborted.Add(new AbortedTransaction(batch.ProducerId, first, batch.BaseOffset));
    }

    // length, attributes, timestamp delta, offset delta, key length (all one byte in markers), then the key: int16 version, int16 type.
    private static bool IsCommit(ReadOnlySpan<byte> record) => record.Length > 8 && record[8] == 1;

    private LogSegment Roll()
    {
        LogSegment full = _segments[^1];
        full.Flush();
        full.WriteIndexes();
        LogSegment next = LogSegment.Open(Directory, LogEndOffset);
        _segments.Add(next);
        return next;
    }

    private void DropBelowStart()
    {
        while (_segments.Count > 1 && _segments[0].NextOffset <= LogStartOffset)
        {
            _segments[0].Delete();
            _segments.RemoveAt(0);
        }

        _aborted.RemoveAll(a => a.LastOffset < LogStartOffset);
    }

    private void Load(bool clean)
    {
        foreach (string leftover in System.IO.Directory.EnumerateFiles(Directory, "*.cleaned"))
            File.Delete(leftover);
        long[] bases = [.. System.IO.Directory.EnumerateFiles(Directory, "*.log").Select(f => long.Parse(Path.GetFileNameWithoutExtension(f), CultureInfo.InvariantCulture)).Order()];
        if (bases.Length == 0)
            bases = [0];
        for (int i = 0; i < bases.Length; i++)
        {
            LogSegment segment = LogSegment.Open(Directory, bases[i]);
            bool last = i == bases.Length - 1;
            long end = segment.Scan(last && !clean, Config.IndexIntervalBytes, (batch, _) =>
            {
                if (batch.IsControl)
                    RememberMarker(segment, batch);
                else
                    Remember(batch);
            });
            if (end < segment.Size)
            {
                LogTruncated(segment.Path, end, segment.Size - end);
                segment.Truncate(end);
            }

            _segments.Add(segment);
            LogEndOffset = segment.NextOffset;
        }
    }

    // A scan may have seen only the header; of a marker the key counts.
    private void RememberMarker(LogSegment segment, RecordBatch header)
    {
        byte[] whole = segment.Read(header.BaseOffset, header.Size, true, long.MaxValue);
        Remember(new RecordBatch(whole));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Path} ends in a torn or corrupt record batch: it is cut off at byte {Position}, {Bytes} bytes are lost")]
    private partial void LogTruncated(string path, long position, long bytes);
}
