namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// The streams of one definition in this process, and queries of their stores. A query waits until the store is restored: Streamiz by
/// itself answers before, with what it has by then. It never sees a half of an event; without a token it may be behind. Thread-safe.
/// </summary>
public interface IEventStreams
{
    /// <summary>What runs.</summary>
    EventStreamsDefinition Definition { get; }

    /// <summary>Why somebody should look: it starts, restores, or stands still; null: all is well.</summary>
    string? Trouble { get; }

    /// <summary>Completes when this process has its partitions and all of their stores are restored.</summary>
    Task WaitForRestoreAsync(CancellationToken cancellationToken = default);

    /// <summary>Completes when the event of <paramref name="token"/> is processed here, as far as its own partition goes.</summary>
    /// <exception cref="StreamPartitionElsewhereException">Another process has the partition.</exception>
    Task WaitForAsync(AggregateDefinition aggregate, ConsistencyToken token, CancellationToken cancellationToken = default);

    /// <summary>The snapshot of an aggregate; null: it has none.</summary>
    /// <param name="aggregate">The aggregate type.</param>
    /// <param name="id">The aggregate.</param>
    /// <param name="atLeast">The event that must be in it; <c>default</c>: whatever there is.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="StreamPartitionElsewhereException">Another process has the partition.</exception>
    /// <exception cref="InvalidInputException">The definition has no snapshots of it, or the token is one of another partition.</exception>
    Task<StreamSnapshot<TState>?> ReadSnapshotAsync<TState>(AggregateDefinition<TState> aggregate, AggregateId id,
        ConsistencyToken atLeast = default, CancellationToken cancellationToken = default)
        where TState : class;

    /// <summary>The snapshots of all aggregates in the partitions that this process has now, partition by partition.</summary>
    /// <exception cref="InvalidInputException">The definition has no snapshots of it.</exception>
    IAsyncEnumerable<StreamSnapshot<TState>> ReadSnapshotsAsync<TState>(AggregateDefinition<TState> aggregate,
        CancellationToken cancellationToken = default)
        where TState : class;

    /// <summary>
    /// The total of <paramref name="key"/> in the window that begins on <paramref name="firstDay"/>; null: nothing was added.
    /// </summary>
    /// <param name="totals">The name of the totals.</param>
    /// <param name="key">What is added up by.</param>
    /// <param name="firstDay">The first day of the window.</param>
    /// <param name="aggregate">The aggregate type that <paramref name="atLeast"/> is a token of.</param>
    /// <param name="atLeast">The event that must be in it; <c>default</c>: whatever there is.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="StreamPartitionElsewhereException">Another process has the partition of the key, or of the token.</exception>
    /// <exception cref="InvalidInputException">The definition has no such totals.</exception>
    Task<RunningTotal?> ReadTotalAsync(string totals, string key, DateOnly firstDay, AggregateDefinition? aggregate = null,
        ConsistencyToken atLeast = default, CancellationToken cancellationToken = default);
}
