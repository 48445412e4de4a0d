using KafkaEventSourcing.Chaos.Faults;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Verdict;

/// <summary>For how long a fault held calls up, as their callers saw it.</summary>
internal static class StallDurations
{
    /// <summary>What is answered at its first sending within this is not held up.</summary>
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(1);

    /// <summary>
    /// Per fault: from its beginning until the last call that it held up had its answer; zero: it held none up. A call is held up when it
    /// had to be sent again or took more than a second. It is a fault's when it was open at its beginning or began before the next one, or
    /// before the load ended: faults that overlap are not told apart. Calls that never had an answer do not count.
    /// </summary>
    /// <param name="faults">In the order in which they began.</param>
    /// <param name="calls">All calls, in any order.</param>
    /// <param name="loadEnded">When the callers began no more calls; who called later looked at what was at rest.</param>
    /// <param name="frequency">Ticks of a timestamp in a second.</param>
    public static IEnumerable<(FaultKind Kind, TimeSpan Time)> Of(
        IReadOnlyList<InjectedFault> faults, IReadOnlyCollection<RecordedCall> calls, long loadEnded, long frequency)
    {
        List<(long Started, long Ended)> heldUp = [.. Outcomes(calls, (long)(AtOnce.TotalSeconds * frequency))];
        for (int n = 0; n < faults.Count; n++)
        {
            long begun = faults[n].Started;
            long next = n + 1 < faults.Count ? faults[n + 1].Started : loadEnded;
            long last = heldUp.Where(c => c.Started < next && c.Ended > begun).Select(c => c.Ended).DefaultIfEmpty(begun).Max();
            yield return (faults[n].Fault.Kind, TimeSpan.FromSeconds((last - begun) / (double)frequency));
        }
    }

    // From the first sending of what was held up to the first outcome that was told.
    private static IEnumerable<(long Started, long Ended)> Outcomes(IReadOnlyCollection<RecordedCall> calls, long atOnce)
    {
        foreach (RecordedCall read in calls)
        {
            if (read.Command is null
                && read.Consistency == ReadConsistency.Strong
                && read.Answer is CallAnswer.Seen seen
                && seen.Ended - read.Started > atOnce)
                yield return (read.Started, seen.Ended);
        }

        foreach (IGrouping<CommandId, RecordedCall> sendings in calls.Where(c => c.Command is not null).GroupBy(c => c.Command!.CommandId))
        {
            long started = sendings.Min(s => s.Started);
            long ended = sendings.Select(s =>
                s.Answer is CallAnswer.Told { Result: not CommandResult.Faulted } told ? told.Ended : long.MaxValue).Min();
            if (ended < long.MaxValue
                && (ended - started > atOnce
                    || sendings.Any(s => s.Started < ended && s.Answer is not CallAnswer.Told { Result: not CommandResult.Faulted })))
                yield return (started, ended);
        }
    }
}
