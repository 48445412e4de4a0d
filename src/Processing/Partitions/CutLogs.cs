namespace KafkaEventSourcing.Processing;

/// <summary>
/// Tells a partition of the events topic that has lost events from one whose last marker is not written yet. A commit is answered before
/// its marker is written, so that the log of a partition may end one offset before what its writer counts: for moments as a rule, for
/// longer when the transaction's coordinator has died behind its answer. Only when it stays so is it taken for a loss; the next transaction
/// finds that sooner, as its events do not get the offsets that they should. Not thread-safe.
/// </summary>
internal sealed class CutLogs(TimeProvider time)
{
    /// <summary>How long a marker may be on its way.</summary>
    public static readonly TimeSpan MarkerPatience = TimeSpan.FromMinutes(2);

    private readonly Dictionary<int, (long Next, long Since)> _withoutMarker = [];

    /// <summary>
    /// Whether the log of <paramref name="partition"/>, which ends at <paramref name="end"/>, has lost what its writer has committed before
    /// <paramref name="next"/>.
    /// </summary>
    public bool HasLost(int partition, long next, long end)
    {
        if (end < next - 1)
            return true;
        if (end >= next)
        {
            _withoutMarker.Remove(partition);
            return false;
        }

        if (!_withoutMarker.TryGetValue(partition, out (long Next, long Since) seen) || seen.Next != next)
            _withoutMarker[partition] = seen = (next, time.GetTimestamp());
        return time.GetElapsedTime(seen.Since) >= MarkerPatience;
    }
}
