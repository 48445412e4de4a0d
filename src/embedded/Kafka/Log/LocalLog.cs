namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// The segments of a log and their files: how they come, are replaced, and go. Changed under the log's lock; <see cref="Segments"/> is read
/// without it.
/// </summary>
internal sealed class LocalLog(string directory, IReadOnlyList<LogSegment> segments, TimeProvider time) : IDisposable
{
    private readonly List<(LogSegment Segment, long DueAt)> _doomed = [];
    private LogSegments _segments = new([.. segments]);

    public LogSegments Segments => Volatile.Read(ref _segments);

    public LogSegment Active => _segments.Active;

    public long Size => Segments.All.Sum(s => s.Size);

    /// <summary>Starts a new segment at <paramref name="endOffset"/>, the end of the log.</summary>
    public LogSegment Roll(LogConfig config, long endOffset)
    {
        LogSegment full = Active;
        if (full.BaseOffset == endOffset)
            throw new InvalidOperationException($"The active segment of {directory} at {full.BaseOffset} is empty and cannot be rolled.");
        full.CutTornWrite();
        full.WriteIndexes();
        long jitter = Math.Min(config.SegmentJitterMs, config.SegmentMs);
#pragma warning disable CA5394 // no secret hangs on it
        var next = LogSegment.Create(directory, endOffset, Now(), jitter == 0 ? 0 : Random.Shared.NextInt64(jitter));
#pragma warning restore CA5394
        Publish(_segments.Add(next));
        return next;
    }

    /// <summary>
    /// Puts a compacted segment in the place of those that it was made of; false when they are gone. A crash in between leaves the old ones
    /// or the new one.
    /// </summary>
    public bool Replace(LogSegment cleaned, IReadOnlyList<LogSegment> old, LogConfig config)
    {
        if (_segments.Replace(old, cleaned) is not { } replaced)
            return false;
        cleaned.ChangeSuffix(LogSegment.SwapSuffix);
        Publish(replaced);
        foreach (LogSegment segment in old)
            Doom(segment, config);
        cleaned.ChangeSuffix("");
        return true;
    }

    /// <summary>How many segments are wholly below an offset; the active one is never.</summary>
    public int CountBelow(long offset)
    {
        int count = 0;
        while (count + 1 < _segments.Count && _segments[count + 1].BaseOffset <= offset)
            count++;
        return count;
    }

    /// <summary>Takes the oldest segments out. Their files are deleted later: readers may have them.</summary>
    public void DeleteFirst(int count, LogConfig config)
    {
        LogSegments before = _segments;
        Publish(before.Skip(count));
        for (int i = 0; i < count; i++)
            Doom(before[i], config);
    }

    /// <summary>Deletes the files whose time is over.</summary>
    public void RemoveDoomed(long now)
    {
        foreach ((LogSegment segment, long dueAt) in _doomed.ToArray())
        {
            if (dueAt > now)
                break; // they come in order of time
            Remove(segment);
            _doomed.RemoveAt(0);
        }
    }

    /// <summary>Brings all files to what is known, for a start that has nothing to check.</summary>
    public void Close()
    {
        Active.CutTornWrite();
        foreach (LogSegment segment in _segments.All)
            segment.WriteIndexes();
        foreach ((LogSegment segment, _) in _doomed)
            Remove(segment);
        _doomed.Clear();
    }

    public void Dispose()
    {
        foreach (LogSegment segment in _segments.All)
            segment.Dispose();
        foreach ((LogSegment segment, _) in _doomed)
            segment.Dispose();
    }

    private static void Remove(LogSegment segment)
    {
        segment.DeleteFiles();
        segment.Dispose();
    }

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    private void Publish(LogSegments changed) => Volatile.Write(ref _segments, changed);

    private void Doom(LogSegment segment, LogConfig config)
    {
        segment.ChangeSuffix(LogSegment.DeletedSuffix);
        _doomed.Add((segment, Now() + config.FileDeleteDelayMs));
        _doomed.Sort((a, b) => a.DueAt.CompareTo(b.DueAt));
    }
}
