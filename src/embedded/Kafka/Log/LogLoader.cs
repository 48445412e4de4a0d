using System.Globalization;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>A log as it was found on disk.</summary>
internal sealed record LoadedLog(IReadOnlyList<LogSegment> Segments, ProducerStateManager Producers, LeaderEpochFileCache Epochs,
    long LogStartOffset, long LogEndOffset, long RecoveryPoint);

/// <summary>
/// Opens a log: ends what a crash interrupted, checks what is not known to be flushed, and brings the state of the producers up to the end.
/// After a clean shutdown no record is read; after a crash only those behind the recovery point, and segments whose indexes are missing.
/// </summary>
internal sealed partial class LogLoader(string directory, LogConfig config, long logStartOffset, long recoveryPoint, bool clean,
    TimeProvider time, ILogger logger)
{
    private readonly ProducerStateManager _producers = new(directory);
    private readonly List<LogSegment> _segments = [];
    private LeaderEpochFileCache _epochs = null!;

    public LoadedLog Load()
    {
        Directory.CreateDirectory(directory);
        _epochs = LeaderEpochFileCache.Open(directory, out bool epochsAreDamaged);
        FinishInterrupted();
        OpenSegments();
        long from = RecoverSegments();
        LogSegment last = _segments[^1];
        long end = last.Size == 0 ? last.BaseOffset : last.ReadNextOffset();
        if (end < logStartOffset)
        {
            LogStartIsBeyondEnd(directory, end, logStartOffset);
            foreach (LogSegment segment in _segments)
                Delete(segment);
            _segments.Clear();
            _segments.Add(LogSegment.Create(directory, logStartOffset, Now()));
            end = logStartOffset;
            _producers.Load(end, end, Now());
        }

        long start = Math.Max(logStartOffset, _segments[0].BaseOffset);
        if (from < 0)
            LoadProducers(end);
        _producers.MapEndOffset = end;
        _producers.RemoveStraySnapshots(_segments.Select(s => s.BaseOffset));
        _producers.TakeSnapshot();
        if (epochsAreDamaged)
            RebuildEpochs();
        _epochs.TruncateFromEnd(end);
        _epochs.TruncateFromStart(start);
        return new LoadedLog(_segments, _producers, _epochs, start, end, clean ? end : Math.Min(recoveryPoint, end));
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    // A .deleted or .cleaned file is left over. A .swap file is whole: it takes the place of the segments that it was made of, whether they
    // are gone already or not.
    private void FinishInterrupted()
    {
        foreach (string leftover in Directory.EnumerateFiles(directory, "*" + LogSegment.DeletedSuffix)
            .Concat(Directory.EnumerateFiles(directory, "*" + LogSegment.CleanedSuffix)).Concat(
                Directory.EnumerateFiles(directory, "*.tmp")).ToArray())
            File.Delete(leftover);
        foreach (string swap in Directory.EnumerateFiles(directory, "*" + LogSegment.LogExtension + LogSegment.SwapSuffix).ToArray())
        {
            long baseOffset = OffsetOf(swap);
            string log = swap[..^LogSegment.SwapSuffix.Length];
            File.Delete(log);
            File.Move(swap, log);
            LogSegment replacement = LogSegment.Open(directory, baseOffset, Now());
            long next = baseOffset;
            replacement.Scan(0, replacement.Size, false, (batch, _) => next = batch.NextOffset, headersOnly: true);
            replacement.Dispose();
            foreach (string old in Directory.EnumerateFiles(directory, "*.*").ToArray())
            {
                long offset = TryOffsetOf(old);
                bool isSegment = Path.GetExtension(old) is LogSegment.LogExtension or LogSegment.IndexExtension
                    or LogSegment.TimeIndexExtension or LogSegment.TransactionIndexExtension;
                if (isSegment && offset >= baseOffset && offset < next && old != log)
                    File.Delete(old);
            }
        }

        foreach (string swap in Directory.EnumerateFiles(directory, "*" + LogSegment.SwapSuffix).ToArray())
            File.Move(swap, swap[..^LogSegment.SwapSuffix.Length], overwrite: true);
    }

    private void OpenSegments()
    {
        long[] bases = [.. Directory.EnumerateFiles(directory, "*" + LogSegment.LogExtension).Select(OffsetOf).Order()];
        var known = bases.ToHashSet();
        foreach (string orphan in Directory.EnumerateFiles(directory, "*index").Where(f => !known.Contains(TryOffsetOf(f))).ToArray())
            File.Delete(orphan);
        foreach (long baseOffset in bases)
            _segments.Add(LogSegment.Open(directory, baseOffset, Now()));
        if (_segments.Count == 0)
            _segments.Add(LogSegment.Create(directory, logStartOffset, Now()));
    }

    // Returns from which offset on the producers' state was built along; -1 when nothing had to be checked.
    private long RecoverSegments()
    {
        int first = _segments.Count;
        if (!clean)
            first = Math.Max(0, _segments.FindLastIndex(s => s.BaseOffset <= recoveryPoint));
        int damaged = _segments.FindIndex(s => s.Size > 0 && (!s.HasIndexFile || s.TransactionIndexIsDamaged));
        if (damaged >= 0 && damaged < first)
        {
            IndexIsMissing(_segments[damaged].Path);
            first = damaged;
        }

        if (first == _segments.Count)
            return -1;
        long from = -1;
        for (int i = first; i < _segments.Count; i++)
        {
            LogSegment segment = _segments[i];
            bool whole = segment.HasIndexFile && !segment.TransactionIndexIsDamaged;
            // In the flushed part only segments that lack an index need it.
            if (from < 0 && whole && i + 1 < _segments.Count && _segments[i + 1].BaseOffset <= recoveryPoint)
                continue;
            (long Offset, long Position) start = segment.RecoveryStart(clean ? long.MaxValue : recoveryPoint);
            if (from < 0)
            {
                from = start.Offset;
                LoadProducers(from);
            }

            if (start.Position == 0)
            {
                // Compaction may have left a hole before the segment.
                _producers.MapEndOffset = Math.Max(_producers.MapEndOffset, segment.BaseOffset);
                _producers.TakeSnapshot();
            }

            long cut = segment.Recover(start, config.IndexIntervalBytes, _producers, _epochs);
            if (cut == 0)
                continue;
            LogTruncated(segment.Path, segment.Size, cut);
            foreach (LogSegment later in _segments.Skip(i + 1).ToArray())
                Delete(later);
            _segments.RemoveRange(i + 1, _segments.Count - i - 1);
        }

        return from;
    }

    private void LoadProducers(long end)
    {
        _producers.Load(_segments[0].BaseOffset, end, Now());
        for (int i = 0; i < _segments.Count && _producers.MapEndOffset < end; i++)
        {
            LogSegment segment = _segments[i];
            if (i + 1 < _segments.Count && _segments[i + 1].BaseOffset <= _producers.MapEndOffset)
                continue;
            // Each segment has the snapshot that it starts from: one that was lost is taken again.
            _producers.MapEndOffset = Math.Max(_producers.MapEndOffset, segment.BaseOffset);
            _producers.TakeSnapshot();
            long position = segment.Translate(_producers.MapEndOffset, segment.Size)?.Position ?? segment.Size;
            bool reached = false;
            segment.Scan(position, segment.Size, false, (batch, _) =>
            {
                reached = batch.NextOffset >= end;
                if (batch.BaseOffset < end)
                    _producers.Update(batch);
            }, headersOnly: true, until: () => reached);
        }

        if (_producers.MapEndOffset < end)
            _producers.MapEndOffset = end;
    }

    private void RebuildEpochs()
    {
        foreach (LogSegment segment in _segments)
            segment.Scan(0, segment.Size, false, (batch, _) => _epochs.Assign(batch.PartitionLeaderEpoch, batch.BaseOffset),
                headersOnly: true);
    }

    private void Delete(LogSegment segment)
    {
        segment.DeleteFiles();
        segment.Dispose();
        _producers.DeleteSnapshot(segment.BaseOffset);
    }

    private static long OffsetOf(string path) => long.Parse(Path.GetFileName(path).AsSpan(0, 20), NumberStyles.None,
        CultureInfo.InvariantCulture);

    private static long TryOffsetOf(string path) =>
        Path.GetFileName(path) is { Length: > 20 } name
            && long.TryParse(name.AsSpan(0, 20), NumberStyles.None, CultureInfo.InvariantCulture, out long offset) ? offset : -1;

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Path} ends in a torn or corrupt record batch: it is cut off at byte {Position}, {Bytes} bytes are lost")]
    private partial void LogTruncated(string path, long position, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "An index of {Path} is missing or corrupt: it is made anew from the log")]
    private partial void IndexIsMissing(string path);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "{Directory} ends at {End}, below its start offset {Start}: all its segments are deleted")]
    private partial void LogStartIsBeyondEnd(string directory, long end, long start);
}
