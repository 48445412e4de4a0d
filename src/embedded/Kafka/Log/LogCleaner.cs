using System.Security.Cryptography;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// Compacts logs as Kafka's LogCleaner does: of each key the last record stays. Tombstones and the markers of transactions that left no
/// record go once <c>delete.retention.ms</c> is over since a cleaning first saw them so (KIP-534). Records of aborted transactions go at
/// once. What a producer needs to go on, its last batch, stays, if only as an empty one. The active segment, and what is behind the last
/// stable offset, is never touched.
/// </summary>
internal sealed partial class LogCleaner
{
    private const int MaxKeys = 4_000_000; // about 200 MB
    private const int Key128 = 16;

    private readonly Dictionary<TopicPartition, long> _cleanedUpTo;
    private readonly string _checkpoint;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;

    public LogCleaner(string directory, TimeProvider time, ILogger logger)
    {
        (_checkpoint, _time, _logger) = (Path.Combine(directory, "cleaner-offset-checkpoint"), time, logger);
        try
        {
            _cleanedUpTo = CheckpointFile.ReadOffsets(_checkpoint);
        }
        catch (InvalidDataException torn)
        {
            LogTorn(torn.Message);
            _cleanedUpTo = [];
        }
    }

    /// <summary>Compacts <paramref name="log"/> when enough of it is dirty, or some of it has waited too long.</summary>
    public void Clean(UnifiedLog log)
    {
        LogConfig config = log.Config;
        long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        IReadOnlyList<LogSegment> segments = log.Segments;
        long firstDirty = FirstDirtyOffset(log);
        long upTo = FirstUncleanableOffset(segments, log.LastStableOffset, firstDirty, config, now);
        LogSegment[] cleanable = [.. segments.Where((s, i) => i < segments.Count - 1 && segments[i + 1].BaseOffset <= upTo)];
        long dirtyBytes = cleanable.Where(s => s.BaseOffset >= firstDirty).Sum(s => s.Size);
        long allBytes = cleanable.Sum(s => s.Size);
        if (dirtyBytes == 0)
            return;
        bool overdue = cleanable.Any(s =>
            s.BaseOffset >= firstDirty && s.FirstBatchTimestamp > 0 && s.FirstBatchTimestamp < now - config.MaxCompactionLagMs);
        if (!overdue && (double)dirtyBytes / allBytes <= config.MinCleanableDirtyRatio)
            return;

        // What makes a record void, a later one or a marker, must not be lost after the record is.
        log.Flush();
        upTo = segments[cleanable.Length].BaseOffset;
        var map = new Dictionary<UInt128, long>();
        long mapEnd = BuildOffsetMap(log, cleanable, firstDirty, upTo, map);
        var transactions = new CleanedTransactions();
        Dictionary<long, (long, short)> producers = log.LastRecordsOfActiveProducers();
        foreach (LogSegment[] group in Group(cleanable, config, mapEnd))
        {
            if (!Rewrite(log, group, new Pass(map, mapEnd, upTo, transactions, producers, now, config)))
                return;
        }

        _cleanedUpTo[log.Partition] = mapEnd;
        SaveCheckpoint();
    }

    public void Forget(TopicPartition partition)
    {
        if (_cleanedUpTo.Remove(partition))
            SaveCheckpoint();
    }

    private void SaveCheckpoint() => CheckpointFile.WriteOffsets(_checkpoint, _cleanedUpTo);

    private long FirstDirtyOffset(UnifiedLog log)
    {
        long cleaned = _cleanedUpTo.GetValueOrDefault(log.Partition);
        return cleaned < log.LogStartOffset || cleaned > log.LogEndOffset ? log.LogStartOffset : cleaned;
    }

    private static long FirstUncleanableOffset(IReadOnlyList<LogSegment> segments, long stable, long firstDirty, LogConfig config, long now)
    {
        long upTo = Math.Min(stable, segments[^1].BaseOffset);
        if (config.MinCompactionLagMs > 0)
        {
            foreach (LogSegment segment in segments.SkipLast(1))
            {
                if (segment.BaseOffset >= firstDirty && segment.LargestTimestamp > now - config.MinCompactionLagMs)
                    return Math.Min(upTo, segment.BaseOffset);
            }
        }

        return upTo;
    }

    // Small segments are put together, as far as a segment may grow.
    private static IEnumerable<LogSegment[]> Group(LogSegment[] segments, LogConfig config, long mapEnd)
    {
        var group = new List<LogSegment>();
        (long size, long index) = (0, 0);
        foreach (LogSegment segment in segments.Where(s => s.BaseOffset < mapEnd))
        {
            bool fits = group.Count == 0 || (size + segment.Size <= config.SegmentBytes
                && index + segment.IndexSize <= config.IndexBytes
                && segment.ReadNextOffset() - group[0].BaseOffset <= int.MaxValue);
            if (!fits)
            {
                yield return [.. group];
                group.Clear();
                (size, index) = (0, 0);
            }

            group.Add(segment);
            size += segment.Size;
            index += segment.IndexSize;
        }

        if (group.Count > 0)
            yield return [.. group];
    }

    private static long BuildOffsetMap(UnifiedLog log, LogSegment[] segments, long firstDirty, long upTo, Dictionary<UInt128, long> map)
    {
        var transactions = new CleanedTransactions();
        transactions.Expect(log.CollectAborted(firstDirty, upTo));
        long end = firstDirty;
        bool full = false;
        foreach (LogSegment segment in segments.Where(s => s.ReadNextOffset() > firstDirty))
        {
            Visit(segment, batch =>
            {
                if (full || batch.LastOffset < firstDirty)
                    return;
                long baseOffset = batch.BaseOffset;
                bool gone = batch.IsControl ? transactions.SeesMarker(batch, null) || true : transactions.SeesBatch(batch);
                if (!gone)
                {
                    foreach (LogRecord record in RecordReader.Read(batch.Bytes.ToArray()))
                    {
                        if (record.Key is not { } key || baseOffset + record.OffsetDelta < firstDirty)
                            continue;
                        if (map.Count >= MaxKeys)
                        {
                            full = true;
                            return;
                        }

                        map[HashOf(key.Span)] = baseOffset + record.OffsetDelta;
                    }
                }

                end = batch.NextOffset;
            });
            if (full)
                return end;
        }

        return upTo;
    }

    private static UInt128 HashOf(ReadOnlySpan<byte> key)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(key, hash);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash[..Key128]);
    }

    private bool Rewrite(UnifiedLog log, LogSegment[] group, Pass pass)
    {
        var cleaned = LogSegment.Create(log.Directory, group[0].BaseOffset, pass.Now, group[^1].RollJitterMs, LogSegment.CleanedSuffix);
        bool replaced = false;
        try
        {
            foreach (LogSegment segment in group)
            {
                pass.Transactions.Expect(log.CollectAborted(segment.BaseOffset, segment.ReadNextOffset()));
                Visit(segment, batch => CleanInto(batch, cleaned, pass));
            }

            cleaned.WriteIndexes();
            cleaned.Flush();
            File.SetLastWriteTimeUtc(cleaned.Path, File.GetLastWriteTimeUtc(group[^1].Path));
            replaced = log.ReplaceSegments(cleaned, group);
            return replaced;
        }
        finally
        {
            if (!replaced)
            {
                cleaned.DeleteFiles();
                cleaned.Dispose();
            }
        }
    }

    private static void CleanInto(RecordBatch batch, LogSegment cleaned, in Pass pass)
    {
        bool isControl = batch.IsControl;
        bool canGo = isControl ? pass.Transactions.SeesMarker(batch, cleaned) : pass.Transactions.SeesBatch(batch);
        bool dropRecords = canGo && (!isControl || batch.DeleteHorizonMs <= pass.Now);
        bool keepEmpty = batch.NextOffset == pass.UpTo || IsLastOfProducer(batch, pass.Producers);
        if (dropRecords && !keepEmpty)
            return;

        List<LogRecord> records = RecordReader.Read(batch.Bytes.ToArray());
        var kept = new List<LogRecord>(records.Count);
        bool tombstones = false;
        if (!dropRecords)
        {
            foreach (LogRecord record in records)
            {
                if (!isControl && !Stays(record, batch, pass))
                    continue;
                kept.Add(record);
                tombstones |= record.Value is null;
            }
        }

        if (kept.Count == 0)
        {
            if (keepEmpty)
                Write(cleaned, RecordBatchBuilder.Empty(batch.Bytes), pass.Config);
            return;
        }

        // From the first cleaning on that sees a tombstone, or a marker whose transaction left nothing, its time runs.
        bool setHorizon = batch.DeleteHorizonMs is null && (tombstones || (isControl && canGo));
        if (kept.Count == records.Count && !setHorizon)
            Write(cleaned, batch.Bytes, pass.Config);
        else
            Write(cleaned, RecordBatchBuilder.Rebuild(kept, batch.Bytes, batch.Codec, pass.Config.CompressionLevel(batch.Codec),
                setHorizon ? pass.Now + pass.Config.DeleteRetentionMs : batch.DeleteHorizonMs), pass.Config);
    }

    private static bool IsLastOfProducer(in RecordBatch batch, Dictionary<long, (long LastDataOffset, short Epoch)> producers) =>
        batch.HasProducerId && producers.TryGetValue(batch.ProducerId, out (long LastDataOffset, short Epoch) last)
        && (last.LastDataOffset >= 0 ? batch.LastOffset == last.LastDataOffset : batch.IsControl && batch.ProducerEpoch == last.Epoch);

    private static bool Stays(in LogRecord record, in RecordBatch batch, in Pass pass)
    {
        long offset = batch.BaseOffset + record.OffsetDelta;
        if (offset >= pass.MapEnd)
            return true;
        if (record.Key is not { } key)
            return false;
        bool newest = !pass.Map.TryGetValue(HashOf(key.Span), out long last) || offset >= last;
        return newest && (record.Value is not null || batch.DeleteHorizonMs is not { } horizon || pass.Now < horizon);
    }

    private static void Write(LogSegment cleaned, ReadOnlySpan<byte> bytes, LogConfig config)
    {
        var batch = new RecordBatch(System.Runtime.InteropServices.MemoryMarshal.AsMemory<byte>(bytes.ToArray()).Span);
        cleaned.Append(bytes, batch.LastOffset, new TimestampOffset(batch.MaxTimestamp, batch.LastOffset), config.IndexIntervalBytes);
    }

    private static void Visit(LogSegment segment, BatchAction visit)
    {
        if (!segment.TryEnter())
            return;
        try
        {
            long end = segment.Scan(0, segment.Size, true, (batch, _) => visit(batch));
            if (end < segment.Size)
                throw new InvalidDataException($"{segment.Path} is corrupt at byte {end}: it is not compacted.");
        }
        finally
        {
            segment.Leave();
        }
    }

    private delegate void BatchAction(RecordBatch batch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Reason} All compacted logs are cleaned from their start.")]
    private partial void LogTorn(string reason);

    private sealed record Pass(
        Dictionary<UInt128, long> Map,
        long MapEnd,
        long UpTo,
        CleanedTransactions Transactions,
        Dictionary<long, (long LastDataOffset, short Epoch)> Producers,
        long Now,
        LogConfig Config);
}
