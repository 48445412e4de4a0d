namespace KafkaEventSourcing.Testing;

/// <summary>
/// Decides whether a history of concurrent calls to aggregates of one type is one that a correct system could have given: whether a legal
/// order of all calls exists that gives each its answer, keeps the order in time of calls that did not overlap (linearizability: Herlihy
/// and Wing, "Linearizability: a correctness condition for concurrent objects", 1990), and writes exactly what is in the log.
/// </summary>
/// <remarks>
/// <para>
/// In general such an order must be searched for, which takes exponential time (Wing and Gong, "Testing and verifying concurrent objects",
/// 1993). Here the log already tells the order of the writes, and each answer tells a version, so nothing is left to search.
/// Linearizability is local (Herlihy and Wing, theorem 1): a history is linearizable if that of each aggregate is. Within one aggregate
/// every call that took effect has its place in the log, and every call that only saw a state has its place right behind the write of the
/// version that it tells. All places are thus fixed but for those that saw the same version, and these may be in any order among
/// themselves. A legal order therefore exists exactly if no call had returned before another began whose place is before its own: two
/// intervals can be compared, and a sweep over them in the order of time finds a contradiction in O(n log n).
/// </para>
/// <para>
/// That the order is legal also needs each answer to be the right one at its place. The aggregate's own pure functions tell: the state is
/// folded from the events, and each command is decided again on the state that it met. All sendings of one command id are one operation,
/// which happened after the first of them began and before the first answer came back. An outcome that is not known may have no effect, or
/// one at any time after its start.
/// </para>
/// <para>Holds the history and all events in memory. Events of commands that were not recorded are taken as they are. Thread-safe.</para>
/// </remarks>
public sealed class HistoryChecker
{
    private readonly AggregateDefinition _definition;
    private readonly HistoryCheckerOptions _options;
    private readonly IReadOnlyList<HistoryInvariant> _invariants;

    /// <summary>
    /// A checker of histories of <paramref name="definition"/>, with invariants of the caller's own over the final states.
    /// </summary>
    public HistoryChecker(AggregateDefinition definition, HistoryCheckerOptions options, params IReadOnlyList<HistoryInvariant> invariants)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(options);
        (_definition, _options, _invariants) = (definition, options, invariants);
    }

    /// <summary>
    /// Takes <paramref name="calls"/> as they are now, reads <paramref name="log"/> to its end, and decides. Calls that have not returned
    /// count as unknown.
    /// </summary>
    /// <param name="log">All committed events, read not before the calls are taken; those of a partition in the order of their
    /// offsets.</param>
    /// <param name="calls">What callers did and were told.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    public async Task<HistoryVerdict> CheckAsync(IAsyncEnumerable<RecordedEvent> log, CallHistory calls,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(calls);
        IReadOnlyList<RecordedCall> taken = calls.Take(); // before the log: whatever they were told is in it by now
        var events = new List<RecordedEvent>();
        await foreach (RecordedEvent recorded in log.WithCancellation(cancellationToken).ConfigureAwait(false))
            events.Add(recorded);
        return Check(events, taken);
    }

    /// <summary>
    /// Decides on <paramref name="calls"/> against <paramref name="events"/>, all committed events in the order of their offsets, partition
    /// by partition or mixed.
    /// </summary>
    public HistoryVerdict Check(IReadOnlyCollection<RecordedEvent> events, IReadOnlyCollection<RecordedCall> calls)
    {
        ArgumentNullException.ThrowIfNull(events);
        ArgumentNullException.ThrowIfNull(calls);
        ILookup<AggregateId, RecordedEvent> eventsOf = events.ToLookup(e => e.AggregateId);
        ILookup<AggregateId, RecordedCall> callsOf = calls.ToLookup(c => c.AggregateId);
        var finals = new List<FinalState>();
        (Finding Finding, AggregateId Id)? first = null;
        int aggregates = 0;
        foreach (AggregateId id in eventsOf.Select(g => g.Key).Union(callsOf.Select(g => g.Key)))
        {
            aggregates++;
            var history = new AggregateHistory(id, _definition, _options, [.. eventsOf[id]], [.. callsOf[id]]);
            if (history.Check() is { } finding && (first is null || finding.Moment < first.Value.Finding.Moment))
                first = (finding, id);
            if (history.Final is { } final)
                finals.Add(final);
        }

        long origin = calls.Count == 0 ? 0 : calls.Min(c => c.Started);
        HistoryViolation? violation = first is { } found
            ? new HistoryViolation(found.Finding.Rule, found.Id, found.Finding.Message,
                Timeline.Of(found.Finding, [.. callsOf[found.Id]], [.. eventsOf[found.Id]], origin, _options.TimestampFrequency))
            : CheckInvariants(finals);
        return Count(violation, aggregates, events.Count, calls);
    }

    private HistoryViolation? CheckInvariants(List<FinalState> finals)
    {
        foreach (HistoryInvariant invariant in _invariants)
        {
            if (invariant.Check(finals) is { } wrong)
                return new HistoryViolation(HistoryRule.Invariant, null, $"{invariant.Name}: {wrong}", "");
        }

        return null;
    }

    private static HistoryVerdict Count(HistoryViolation? violation, int aggregates, int events, IReadOnlyCollection<RecordedCall> calls)
    {
        RecordedCall[] commands = [.. calls.Where(c => c.Command is not null)];
        return new HistoryVerdict
        {
            Violation = violation,
            Aggregates = aggregates,
            Events = events,
            Commands = commands.Length,
            SentAgain = commands.Length - commands.DistinctBy(c => (c.AggregateId, c.Command!.CommandId)).Count(),
            Conflicts = commands.Count(c => c.Answer is CallAnswer.Told { Result: CommandResult.Conflict }),
            Rejections = commands.Count(c => c.Answer is CallAnswer.Told { Result: CommandResult.Rejected }),
            UnknownOutcomes = commands.Count(c => c.Answer is null or CallAnswer.Unknown),
            Reads = calls.Count(c => c.Answer is CallAnswer.Seen && c.Consistency == ReadConsistency.Strong),
        };
    }
}
