namespace KafkaEventSourcing;

/// <summary>Sends commands to the aggregates of one type and reads their states. Thread-safe.</summary>
/// <typeparam name="TState">The state of the aggregate type.</typeparam>
public interface IAggregateClient<TState>
    where TState : class
{
    /// <summary>Sends a command under a new id and returns its outcome once it is committed.</summary>
    /// <inheritdoc cref="SendAsync{TCommand}(AggregateId, TCommand, SendOptions, CancellationToken)"/>
    Task<CommandResult> SendAsync<TCommand>(AggregateId aggregateId, TCommand command, CancellationToken cancellationToken = default)
        where TCommand : class;

    /// <summary>
    /// Sends a command and returns its outcome once it is committed. When this throws, the outcome is not known, unless the exception says
    /// otherwise; sending the command again under the same <see cref="SendOptions.CommandId"/> tells it.
    /// </summary>
    /// <exception cref="InvalidInputException">The aggregate type does not decide the command, or it cannot be sent as it is.</exception>
    /// <exception cref="AggregateParkedException">The aggregate is parked until an operator acts; the exception tells whether the command
    /// is kept.</exception>
    /// <exception cref="OverloadedException">Too many commands wait; this one had no effect.</exception>
    /// <exception cref="AggregateUnavailableException">The node does not serve yet; the command had no effect.</exception>
    /// <exception cref="TimeoutException">No answer came in time.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    Task<CommandResult> SendAsync<TCommand>(AggregateId aggregateId, TCommand command, SendOptions options,
        CancellationToken cancellationToken = default)
        where TCommand : class;

    /// <summary>A strong read: the aggregate with every event that was committed before the call; null when it has none.</summary>
    /// <inheritdoc cref="ReadAsync(AggregateId, ReadConsistency, CancellationToken)"/>
    ValueTask<AggregateView<TState>?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken = default);

    /// <summary>Reads one aggregate; null when it has no events.</summary>
    /// <exception cref="AggregateParkedException">An event of the aggregate cannot be folded, so its state is not known.</exception>
    /// <exception cref="AggregateUnavailableException">Nobody who could answer did in time.</exception>
    ValueTask<AggregateView<TState>?> ReadAsync(AggregateId aggregateId, ReadConsistency consistency,
        CancellationToken cancellationToken = default);

    /// <summary>Reads one aggregate with at least the write of <paramref name="atLeast"/>; null when it has no events.</summary>
    /// <exception cref="AggregateParkedException">An event of the aggregate cannot be folded, so its state is not known.</exception>
    /// <exception cref="AggregateUnavailableException">Nobody had come as far in time.</exception>
    /// <exception cref="InvalidInputException">The token is default, or of another partition than the aggregate.</exception>
    ValueTask<AggregateView<TState>?> ReadAsync(AggregateId aggregateId, ConsistencyToken atLeast,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="AggregateHistory.EventsAsync"/>
    IAsyncEnumerable<RecordedEvent> HistoryAsync(AggregateId aggregateId, long fromVersion = 1,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="AggregateHistory.ReadVersionAsync"/>
    ValueTask<AggregateView<TState>?> ReadVersionAsync(AggregateId aggregateId, long version,
        CancellationToken cancellationToken = default);

    /// <inheritdoc cref="AggregateHistory.ReadAsOfAsync"/>
    ValueTask<AggregateView<TState>?> ReadAsOfAsync(AggregateId aggregateId, DateTimeOffset time,
        CancellationToken cancellationToken = default);
}
