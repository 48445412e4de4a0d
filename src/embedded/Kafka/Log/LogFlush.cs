namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// Up to where a log is on disk, and when the rest is due. Used under the log's lock; the recovery point and the bytes are read without it.
/// </summary>
internal sealed class LogFlush(LocalLog local, long recoveryPoint, ITimer timer) : IDisposable
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private long _recoveryPoint = recoveryPoint;
    private long _unflushedBytes;
    private bool _isDue;

    /// <summary>Everything below is on disk.</summary>
    public long RecoveryPoint => Interlocked.Read(ref _recoveryPoint);

    /// <summary>How many bytes a start after a crash would have to check.</summary>
    public long UnflushedBytes => Interlocked.Read(ref _unflushedBytes);

    /// <summary>The segments that have records which are not on disk yet.</summary>
    public IReadOnlyList<LogSegment> Segments => local.Segments.From(_recoveryPoint);

    public void Dispose() => timer.Dispose();

    /// <summary>Flushes after an append where the configs ask for it, or has it done when it is due.</summary>
    public void Appended(int bytes, long end, LogConfig config)
    {
        _unflushedBytes += bytes;
        if (end - _recoveryPoint >= config.FlushMessages)
            Flush(end);
        else if (config.FlushMs != long.MaxValue && !_isDue)
            Schedule(TimeSpan.FromMilliseconds(Math.Min(config.FlushMs, int.MaxValue)));
    }

    /// <summary>The flush that was due begins.</summary>
    public void Begin() => _isDue = false;

    /// <summary>The flush that was due could not be done.</summary>
    public void TryAgain() => Schedule(Retry);

    /// <summary>Makes all records up to the end outlive the machine.</summary>
    public void Flush(long end)
    {
        local.Active.WriteTransactionIndex();
        foreach (LogSegment segment in Segments)
            segment.Flush();
        _recoveryPoint = end;
        _unflushedBytes = 0;
    }

    /// <summary>
    /// Makes the records of segments outlive the machine while appends go on; those that were deleted meanwhile need it no more.
    /// </summary>
    public static void Flush(IReadOnlyList<LogSegment> segments)
    {
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
    }

    /// <summary>Records up to <paramref name="end"/>, of so many bytes, were flushed while appends went on.</summary>
    public void Flushed(long end, long bytes)
    {
        _recoveryPoint = Math.Max(_recoveryPoint, end);
        _unflushedBytes = Math.Max(0, _unflushedBytes - bytes);
    }

    private void Schedule(TimeSpan delay)
    {
        _isDue = true;
        timer.Change(delay, Timeout.InfiniteTimeSpan);
    }
}
