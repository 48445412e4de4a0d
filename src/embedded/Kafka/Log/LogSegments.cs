namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// The segments of a log as they were at one time, the last one active. What reads them takes no lock; a segment that was replaced or
/// deleted since cannot be read, and the reader looks at those of now.
/// </summary>
internal sealed class LogSegments(LogSegment[] segments)
{
    public IReadOnlyList<LogSegment> All => segments;

    public int Count => segments.Length;

    public LogSegment Active => segments[^1];

    public LogSegment this[int index] => segments[index];

    public LogSegments Add(LogSegment next) => new([.. segments, next]);

    public LogSegments Skip(int count) => new(segments[count..]);

    /// <summary>These with another one in the place of neighbours; null when those are not here any more.</summary>
    public LogSegments? Replace(IReadOnlyList<LogSegment> old, LogSegment with)
    {
        int first = Array.IndexOf(segments, old[0]);
        bool areHere = first >= 0 && first + old.Count <= segments.Length && segments.AsSpan(first, old.Count).SequenceEqual(old.ToArray());
        return areHere ? new([.. segments[..first], with, .. segments[(first + old.Count)..]]) : null;
    }

    /// <summary>Those that have records from an offset on.</summary>
    public IReadOnlyList<LogSegment> From(long offset) =>
        [.. segments.Where((_, i) => i == segments.Length - 1 || segments[i + 1].BaseOffset > offset)];

    /// <summary>
    /// Reads whole batches from <paramref name="offset"/> on, none from <paramref name="limit"/> on; false when a segment cannot be read
    /// any more.
    /// </summary>
    public bool TryRead(
        long offset, long limit, int maxBytes, bool minOne, RecordMemory? memory, bool withAborted, out Memory<byte> records,
        out List<AbortedTransaction>? aborted)
    {
        records = default;
        aborted = null;
        for (int at = FloorIndex(offset); at < segments.Length && offset < limit; at++)
        {
            LogSegment segment = segments[at];
            if (!segment.TryEnter())
                return false;
            try
            {
                records = segment.Read(offset, maxBytes, minOne, limit, memory, out long next);
                if (records.Length > 0 && withAborted)
                    aborted = CollectAborted(at, offset, next);
                if (records.Length > 0 || segment.Translate(offset, segment.Size) is not null)
                    break; // where there is a batch, but none was read, it may not be read or does not fit
            }
            finally
            {
                segment.Leave();
            }
        }

        return true;
    }

    /// <summary>How many bytes of batches there are between two offsets; false when a segment cannot be read any more.</summary>
    public bool TryCount(long offset, long limit, out long bytes)
    {
        bytes = 0;
        for (int at = FloorIndex(offset); at < segments.Length && offset < limit && segments[at].BaseOffset < limit; at++)
        {
            LogSegment segment = segments[at];
            if (!segment.TryEnter())
                return false;
            try
            {
                bytes += segment.BytesBetween(offset, limit);
            }
            finally
            {
                segment.Leave();
            }
        }

        return true;
    }

    /// <summary>
    /// The first record from <paramref name="start"/> on whose timestamp is at least <paramref name="timestamp"/>; false when a segment
    /// cannot be read any more.
    /// </summary>
    public bool TryFind(long timestamp, long start, out (long Offset, long Timestamp)? found)
    {
        found = null;
        foreach (LogSegment segment in segments)
        {
            if (segment.LargestTimestamp < timestamp || segment.Size == 0)
                continue;
            if (!segment.TryEnter())
                return false;
            try
            {
                if (segment.FindByTimestamp(timestamp, start) is { } record)
                {
                    found = (record.Offset, record.Timestamp);
                    return true;
                }
            }
            finally
            {
                segment.Leave();
            }
        }

        return true;
    }

    /// <summary>Transactions that were aborted and whose records are partly in the given range.</summary>
    public List<AbortedTransaction> CollectAborted(long offset, long upperBound) => CollectAborted(FloorIndex(offset), offset, upperBound);

    // Kafka's rule: an entry whose last stable offset reaches the upper bound shows that no later one can concern the range.
    private List<AbortedTransaction> CollectAborted(int first, long offset, long upperBound)
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

    // The segment that an offset is in: the last one whose base is not above it.
    private int FloorIndex(long offset)
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
}
