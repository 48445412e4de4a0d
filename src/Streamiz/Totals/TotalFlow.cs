using System.Collections.Concurrent;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Which amounts this process has sent on their way to their totals, and which have arrived here: by them a query knows when all that an
/// event adds is in. Thread-safe.
/// </summary>
internal sealed class TotalFlow
{
    private readonly ConcurrentDictionary<(string Aggregate, int Source, int Target), long> _sent = [];
    private readonly ConcurrentDictionary<(string Aggregate, int Source, int Target), SourceProgress> _folded = [];

    /// <summary>How far the internal topic is folded, by partition.</summary>
    public SourceProgress Progress { get; } = new();

    /// <summary>An amount of the event at <paramref name="offset"/> goes to the partition <paramref name="target"/>.</summary>
    public void Sent(string aggregate, int source, long offset, int target) => _sent[(aggregate, source, target)] = offset;

    /// <summary>It has arrived, as the record before <paramref name="next"/>.</summary>
    public void Folded(string aggregate, int source, long offset, int target, long next)
    {
        FoldedOf(aggregate, source, target).Advance(0, offset + 1);
        Progress.Advance(target, next);
    }

    /// <summary>
    /// Completes when all that was sent so far from the partition <paramref name="source"/> to <paramref name="target"/> has arrived.
    /// </summary>
    public Task WaitAsync(string aggregate, int source, int target, CancellationToken cancellationToken) =>
        _sent.TryGetValue((aggregate, source, target), out long sent)
            ? FoldedOf(aggregate, source, target).WaitAsync(0, sent, cancellationToken)
            : Task.CompletedTask;

    private SourceProgress FoldedOf(string aggregate, int source, int target) =>
        _folded.GetOrAdd((aggregate, source, target), static _ => new SourceProgress());
}
