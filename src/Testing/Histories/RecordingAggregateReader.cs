namespace KafkaEventSourcing.Testing;

/// <summary>Reads through another reader and records each read. Thread-safe.</summary>
public sealed class RecordingAggregateReader : IAggregateReader
{
    private readonly IAggregateReader _inner;
    private readonly CallHistory _history;
    private readonly string _caller;

    /// <summary>
    /// Records the reads from <paramref name="inner"/> in <paramref name="history"/> as those of <paramref name="caller"/>.
    /// </summary>
    public RecordingAggregateReader(IAggregateReader inner, CallHistory history, string caller) =>
        (_inner, _history, _caller) = (inner, history, caller);

    /// <inheritdoc/>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken = default) =>
        ReadAsync(aggregateId, ReadConsistency.Strong, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ReadConsistency consistency,
        CancellationToken cancellationToken = default) =>
        Record(aggregateId, consistency, () => _inner.ReadAsync(aggregateId, consistency, cancellationToken));

    /// <summary>Recorded as an eventual read, as which it promises no less.</summary>
    /// <inheritdoc/>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ConsistencyToken atLeast,
        CancellationToken cancellationToken = default) =>
        Record(aggregateId, ReadConsistency.Eventual, () => _inner.ReadAsync(aggregateId, atLeast, cancellationToken));

    /// <summary>Not recorded: what a history must be is what the log says.</summary>
    /// <inheritdoc/>
    public ValueTask<HistoryPage?> ReadHistoryAsync(AggregateId aggregateId, HistoryQuery query,
        CancellationToken cancellationToken = default) => _inner.ReadHistoryAsync(aggregateId, query, cancellationToken);

    private async ValueTask<AggregateView?> Record(
        AggregateId aggregateId, ReadConsistency consistency, Func<ValueTask<AggregateView?>> read)
    {
        CallHistory.OpenCall call = _history.Begin(_caller, aggregateId, command: null, consistency);
        try
        {
            AggregateView? view = await read().ConfigureAwait(false);
            call.Answer = new CallAnswer.Seen(_history.Time.GetTimestamp(), view);
            return view;
        }
        catch (Exception failure)
        {
            call.Answer = new CallAnswer.Unknown(_history.Time.GetTimestamp(), failure.GetType().Name);
            throw;
        }
    }
}
