namespace KafkaEventSourcing.Testing;

/// <summary>Reads through another reader and records each read. Thread-safe.</summary>
public sealed class RecordingAggregateReader : IAggregateReader
{
    private readonly IAggregateReader _inner;
    private readonly CallHistory _history;
    private readonly string _caller;
    private readonly ReadConsistency _consistency;

    /// <summary>Records the reads from <paramref name="inner"/>, which promise <paramref name="consistency"/>, in <paramref name="history"/> as those of <paramref name="caller"/>.</summary>
    public RecordingAggregateReader(IAggregateReader inner, CallHistory history, string caller, ReadConsistency consistency = ReadConsistency.Strong) =>
        (_inner, _history, _caller, _consistency) = (inner, history, caller, consistency);

    /// <inheritdoc/>
    public async ValueTask<AggregateView?> Read(AggregateId aggregateId, CancellationToken cancellationToken)
    {
        CallHistory.OpenCall call = _history.Begin(_caller, aggregateId, command: null, _consistency);
        try
        {
            AggregateView? view = await _inner.Read(aggregateId, cancellationToken).ConfigureAwait(false);
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
