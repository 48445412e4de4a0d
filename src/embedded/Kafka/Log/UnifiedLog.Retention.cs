using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>How a log grows by segments and loses them, is flushed, and ends.</summary>
internal sealed partial class UnifiedLog
{
    private readonly List<(LogSegment Segment, long DueAt)> _doomed = [];

    /// <summary>How many bytes a start after a crash would have to check.</summary>
    public long UnflushedBytes => Interlocked.Read(ref _unflushedBytes);

    /// <summary>Starts a new segment.</summary>
    public void RollSegment()
    {
        lock (_lock)
        {
            if (_segments[^1].Size > 0)
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

    /// <summary>Deletes segments that are too old or too many, forgets producers that were not heard of for long, and removes files whose time is over.</summary>
    public void ApplyRetention()
    {
        long now = Now();
        lock (_lock)
        {
            if (_closed)
                return;
            // First what gives room, and needs none.
            RemoveDoomed(now);
            _producers.RemoveExpired(now);
            DeleteBelowStart();
            if (Config.Deletes)
            {
                long excess = Config.RetentionBytes < 0 ? -1 : Size - Config.RetentionBytes;
                DeleteOldest(segment =>
                {
                    if (excess < segment.Size)
                        return false;
                    excess -= segment.Size;
                    return true;
                });
                DeleteOldest(segment => Config.RetentionMs >= 0 && now - segment.LargestTimestamp > Config.RetentionMs);
            }

            RemoveDoomed(now);
        }
    }

    /// <summary>Makes all records so far outlive the machine, and what spares work at the next start: index files and a snapshot of the producers. Appends go on meanwhile.</summary>
    public void Flush()
    {
        LogSegment[] segments;
        long end;
        long bytes;
        lock (_lock)
        {
            if (_closed || _logEndOffset == _recoveryPoint)
                return;
            (segments, end, bytes) = (Unflushed(), _logEndOffset, _unflushedBytes);
            _segments[^1].CutTornWrite();
            _segments[^1].WriteIndexes();
            _producers.TakeSnapshot();
            _producers.RemoveStraySnapshots(_segments.Select(s => s.BaseOffset));
        }

        foreach (LogSegment segment in segments)
        {
            if (!segment.TryEnter())
                continue;
            try
            {
                segment.Flush();
            }
            finally
            {
                segment.Leave();
            }
        }

        lock (_lock)
        {
            _recoveryPoint = Math.Max(_recoveryPoint, end);
            _unflushedBytes = Math.Max(0, _unflushedBytes - bytes);
        }
    }

    /// <summary>Puts a compacted segment in the place of those that it was made of. A crash in between leaves the old ones or the new one.</summary>
    public bool ReplaceSegments(LogSegment cleaned, IReadOnlyList<LogSegment> old)
    {
        lock (_lock)
        {
            int first = Array.IndexOf(_segments, old[0]);
            if (_closed || first < 0 || first + old.Count > _segments.Length || !_segments.AsSpan(first, old.Count).SequenceEqual(old.ToArray()))
                return false; // retention was faster
            cleaned.ChangeSuffix(LogSegment.SwapSuffix);
            Volatile.Write(ref _segments, [.. _segments[..first], cleaned, .. _segments[(first + old.Count)..]]);
            foreach (LogSegment segment in old)
                Doom(segment);
            cleaned.ChangeSuffix("");
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
            _segments[^1].CutTornWrite();
            foreach (LogSegment segment in _segments)
                segment.WriteIndexes();
            _producers.TakeSnapshot();
            foreach ((LogSegment segment, _) in _doomed)
                Remove(segment);
            _doomed.Clear();
        }

        Dispose();
    }

    /// <summary>Ends the use of the log as it is, as a crash would.</summary>
    public void Dispose()
    {
        _flushTimer.Dispose();
        lock (_lock)
        {
            Volatile.Write(ref _closed, true);
            foreach (LogSegment segment in _segments)
                segment.Dispose();
            foreach ((LogSegment segment, _) in _doomed)
                segment.Dispose();
        }
    }

    private static void Remove(LogSegment segment)
    {
        segment.DeleteFiles();
        segment.Dispose();
    }

    private LogSegment Roll()
    {
        LogSegment full = _segments[^1];
        if (full.BaseOffset == _logEndOffset)
            throw new InvalidOperationException($"The active segment of {Partition} at {full.BaseOffset} is empty and cannot be rolled.");
        full.CutTornWrite();
        full.WriteIndexes();
        long jitter = Math.Min(Config.SegmentJitterMs, Config.SegmentMs);
#pragma warning disable CA5394 // no secret hangs on it
        var next = LogSegment.Create(Directory, _logEndOffset, Now(), jitter == 0 ? 0 : Random.Shared.NextInt64(jitter));
#pragma warning restore CA5394
        Volatile.Write(ref _segments, [.. _segments, next]);
        _producers.TakeSnapshot();
        return next;
    }

    private LogSegment[] Unflushed() => [.. _segments.Where((_, i) => i == _segments.Length - 1 || _segments[i + 1].BaseOffset > _recoveryPoint)];

    private void FlushInLock()
    {
        _segments[^1].WriteTransactionIndex();
        foreach (LogSegment segment in Unflushed())
            segment.Flush();
        _recoveryPoint = _logEndOffset;
        _unflushedBytes = 0;
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

    private void RemoveDoomed(long now)
    {
        foreach ((LogSegment segment, long dueAt) in _doomed.ToArray())
        {
            if (dueAt > now)
                break; // they come in order of time
            Remove(segment);
            _doomed.RemoveAt(0);
        }
    }

    private void DeleteBelowStart()
    {
        int i = 0;
        while (i + 1 < _segments.Length && _segments[i + 1].BaseOffset <= _logStartOffset)
            i++;
        DeleteFirst(i);
    }

    private void DeleteOldest(Func<LogSegment, bool> mayGo)
    {
        int count = 0;
        while (count < _segments.Length && (count < _segments.Length - 1 || _segments[count].Size > 0) && mayGo(_segments[count]))
            count++;
        if (count == 0)
            return;
        if (count == _segments.Length)
        {
            AdvanceStart(_segments[count - 1].BaseOffset); // for a new segment there may be no room yet
            count = _segments.Length;
            Roll();
        }

        AdvanceStart(_segments[count].BaseOffset);
    }

    private void DeleteFirst(int count)
    {
        if (count == 0)
            return;
        LogSegment[] gone = _segments[..count];
        Volatile.Write(ref _segments, _segments[count..]);
        foreach (LogSegment segment in gone)
            Doom(segment);
        _producers.DeleteSnapshotsBelow(_segments[0].BaseOffset);
    }

    private void Doom(LogSegment segment)
    {
        segment.ChangeSuffix(LogSegment.DeletedSuffix);
        _doomed.Add((segment, Now() + Config.FileDeleteDelayMs));
        _doomed.Sort((a, b) => a.DueAt.CompareTo(b.DueAt));
    }
}
