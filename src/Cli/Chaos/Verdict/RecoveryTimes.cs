using KafkaEventSourcing.Cli.Chaos.Faults;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Chaos.Verdict;

/// <summary>How long after a fault all aggregates were served again, as their callers saw it.</summary>
internal static class RecoveryTimes
{
    /// <summary>
    /// Per fault: from its beginning until each aggregate in <paramref name="calls"/> has answered a command or a strong read that began after it. Aggregates that were not asked any more do not count. Faults that
    /// overlap are not told apart.
    /// </summary>
    public static IEnumerable<(FaultKind Kind, TimeSpan Time)> Of(IReadOnlyList<InjectedFault> faults, IReadOnlyCollection<RecordedCall> calls, long frequency)
    {
        ILookup<AggregateId, RecordedCall> answered = calls.Where(c => c.Consistency == ReadConsistency.Strong && c.Answer is CallAnswer.Told or CallAnswer.Seen).ToLookup(c => c.AggregateId);
        foreach (InjectedFault fault in faults)
        {
            long last = 0;
            foreach (IGrouping<AggregateId, RecordedCall> aggregate in answered)
            {
                long first = aggregate.Where(c => c.Started >= fault.Started).Select(c => c.Answer!.Ended).DefaultIfEmpty(0).Min();
                last = Math.Max(last, first);
            }

            if (last > 0)
                yield return (fault.Fault.Kind, TimeSpan.FromSeconds((last - fault.Started) / (double)frequency));
        }
    }
}
