namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>Which of the oldest segments the configs of a log let go.</summary>
internal static class LogRetention
{
    /// <summary>How many are over the size that the log may have.</summary>
    public static int CountExcess(LogSegments segments, LogConfig config)
    {
        long excess = config.RetentionBytes < 0 ? -1 : segments.All.Sum(s => s.Size) - config.RetentionBytes;
        return Count(segments, segment =>
        {
            if (excess < segment.Size)
                return false;
            excess -= segment.Size;
            return true;
        });
    }

    /// <summary>How many are older than the log may keep them.</summary>
    public static int CountExpired(LogSegments segments, LogConfig config, long now) =>
        Count(segments, segment => config.RetentionMs >= 0 && now - segment.LargestTimestamp > config.RetentionMs);

    private static int Count(LogSegments segments, Func<LogSegment, bool> mayGo)
    {
        int count = 0;
        while (count < segments.Count && (count < segments.Count - 1 || segments[count].Size > 0) && mayGo(segments[count]))
            count++;
        return count;
    }
}
