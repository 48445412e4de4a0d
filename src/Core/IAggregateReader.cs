namespace KafkaEventSourcing;

/// <summary>
/// Reads of aggregates of one type as the engine sees them. Applications use <see cref="IAggregateClient{TState}"/>. Thread-safe.
/// </summary>
public interface IAggregateReader
{
    /// <summary>A strong read: the aggregate with every event that was committed before the call; null when it has none.</summary>
    /// <inheritdoc cref="ReadAsync(AggregateId, ReadConsistency, CancellationToken)"/>
    ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken = default);

    /// <summary>Reads one aggregate; null when it has no events.</summary>
    /// <exception cref="AggregateParkedException">An event of the aggregate cannot be folded, so its state is not known.</exception>
    /// <exception cref="AggregateUnavailableException">Nobody who could answer did.</exception>
    ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ReadConsistency consistency,
        CancellationToken cancellationToken = default);

    /// <summary>Reads one aggregate with at least the write of <paramref name="atLeast"/>; null when it has no events.</summary>
    /// <exception cref="AggregateParkedException">An event of the aggregate cannot be folded, so its state is not known.</exception>
    /// <exception cref="AggregateUnavailableException">Nobody had come as far.</exception>
    /// <exception cref="InvalidInputException">The token is default, or of another partition than the aggregate.</exception>
    ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ConsistencyToken atLeast, CancellationToken cancellationToken = default);

    /// <summary>A page of the events of one aggregate; null when it has none.</summary>
    /// <exception cref="AggregateUnavailableException">Nobody who could answer did.</exception>
    /// <exception cref="HistoryGoneException">The log does not have the events any more.</exception>
    /// <exception cref="InvalidDataException">An event cannot be read.</exception>
    /// <exception cref="InvalidInputException">The query is out of range.</exception>
    ValueTask<HistoryPage?> ReadHistoryAsync(AggregateId aggregateId, HistoryQuery query, CancellationToken cancellationToken = default);
}
