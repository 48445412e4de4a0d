using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// Compacts logs: of each key the last record stays. Tombstones stay for <c>delete.retention.ms</c>; records of aborted transactions go; transaction
/// markers stay. The active segment is never touched.
/// </summary>
internal sealed class LogCleaner(TimeProvider time)
{
    private readonly Dictionary<UnifiedLog, long> _cleanedUpTo = [];

    /// <summary>Compacts <paramref name="log"/> when enough of it is dirty.</summary>
    public void Clean(UnifiedLog log)
    {
        IReadOnlyList<LogSegment> segments = log.CleanableSegments();
        long cleaned = _cleanedUpTo.GetValueOrDefault(log);
        long dirty = segments.Where(s => s.NextOffset > cleaned).Sum(s => s.Size);
        long all = segments.Sum(s => s.Size);
        if (dirty == 0 || (double)dirty / all < log.Config.MinCleanableDirtyRatio)
            return;

        var aborted = new HashSet<long>();
        Dictionary<Key, long> last = LastOffsets(segments, aborted);
        long tombstonesUntil = time.GetUtcNow().ToUnixTimeMilliseconds() - log.Config.DeleteRetentionMs;
        foreach (LogSegment segment in segments)
            Rewrite(log, segment, last, aborted, tombstonesUntil);
        _cleanedUpTo[log] = segments[^1].NextOffset;
    }

    private static Dictionary<Key, long> LastOffsets(IReadOnlyList<LogSegment> segments, HashSet<long> aborted)
    {
        var last = new Dictionary<Key, long>();
        var open = new Dictionary<long, List<long>>();
        foreach (LogSegment segment in segments)
        {
            ForEachBatch(segment, batch =>
            {
                var header = new RecordBatch(batch.Span.ToArray());
                if (header.IsControl)
                {
                    bool commit = header.Records.Length > 8 && header.Records[8] == 1;
                    if (open.Remove(header.ProducerId, out List<long>? batches) && !commit)
                        aborted.UnionWith(batches);
                    return;
                }

                if (header.IsTransactional)
                    (open.TryGetValue(header.ProducerId, out List<long>? batches) ? batches : open[header.ProducerId] = []).Add(header.BaseOffset);
            });
        }

        foreach (LogSegment segment in segments)
        {
            ForEachBatch(segment, batch =>
            {
                var header = new RecordBatch(batch.Span.ToArray());
                long baseOffset = header.BaseOffset;
                if (header.IsControl || aborted.Contains(baseOffset))
                    return;
                foreach (LogRecord record in RecordReader.Read(batch))
                {
                    if (record.Key is { } key)
                        last[new Key(key)] = baseOffset + record.OffsetDelta;
                }
            });
        }

        return last;
    }

    private static void Rewrite(UnifiedLog log, LogSegment segment, Dictionary<Key, long> last, HashSet<long> aborted, long tombstonesUntil)
    {
        string path = Path.ChangeExtension(segment.Path, ".cleaned");
        bool changed = false;
        using (FileStream output = File.Create(path))
        {
            ForEachBatch(segment, batch =>
            {
                var header = new RecordBatch(batch.Span.ToArray());
                if (header.IsControl)
                {
                    output.Write(batch.Span);
                    return;
                }

                (long baseOffset, long baseTimestamp) = (header.BaseOffset, header.BaseTimestamp);
                List<LogRecord> records = RecordReader.Read(batch);
                var kept = new List<(long, ReadOnlyMemory<byte>)>(records.Count);
                foreach (LogRecord record in records)
                {
                    bool newest = record.Key is { } key && last.TryGetValue(new Key(key), out long offset) && offset == baseOffset + record.OffsetDelta;
                    bool expired = record.Value is null && baseTimestamp + record.TimestampDelta < tombstonesUntil;
                    if (newest && !expired && !aborted.Contains(baseOffset))
                        kept.Add((record.OffsetDelta, record.Body));
                }

                changed |= kept.Count < records.Count;
                if (kept.Count == records.Count)
                    output.Write(batch.Span);
                else if (kept.Count > 0)
                    output.Write(RecordBatchBuilder.Rebuild(kept, batch.Span));
            });
            output.Flush(flushToDisk: true);
        }

        if (changed)
            log.Replace(segment, path);
        else
            File.Delete(path);
    }

    private static void ForEachBatch(LogSegment segment, Action<ReadOnlyMemory<byte>> visit)
    {
        if (!segment.TryEnter())
            return;
        try
        {
            byte[] all = segment.ReadAll();
            for (int at = 0; all.Length - at >= RecordBatch.HeaderLength;)
            {
                int size = new RecordBatch(all.AsSpan(at)).Size;
                visit(all.AsMemory(at, size));
                at += size;
            }
        }
        finally
        {
            segment.Leave();
        }
    }

    private readonly struct Key(ReadOnlyMemory<byte> bytes) : IEquatable<Key>
    {
        private readonly ReadOnlyMemory<byte> _bytes = bytes;

        public bool Equals(Key other) => _bytes.Span.SequenceEqual(other._bytes.Span);

        public override bool Equals(object? obj) => obj is Key other && Equals(other);

        public override int GetHashCode()
        {
            var hash = new HashCode();
            hash.AddBytes(_bytes.Span);
            return hash.ToHashCode();
        }
    }
}
