namespace KafkaEventSourcing;

/// <summary>
/// An <see cref="IAggregateClient{TState}"/> over something that sends commands and something that reads. Thread-safe as these are.
/// </summary>
public sealed class AggregateClient<TState> : IAggregateClient<TState>
    where TState : class
{
    private readonly AggregateDefinition<TState> _definition;
    private readonly ICommandClient _commands;
    private readonly IAggregateReader _reader;
    private readonly AggregateHistory _history;
    private readonly TimeProvider _timeProvider;

    /// <summary>Creates a client of the aggregates of <paramref name="definition"/>.</summary>
    public AggregateClient(AggregateDefinition<TState> definition, ICommandClient commands, IAggregateReader reader,
        TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(commands);
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(timeProvider);
        (_definition, _commands, _reader, _timeProvider) = (definition, commands, reader, timeProvider);
        _history = new AggregateHistory(definition, reader);
    }

    /// <inheritdoc/>
    public Task<CommandResult> SendAsync<TCommand>(AggregateId aggregateId, TCommand command, CancellationToken cancellationToken = default)
        where TCommand : class => SendAsync(aggregateId, command, new SendOptions(), cancellationToken);

    /// <inheritdoc/>
    public Task<CommandResult> SendAsync<TCommand>(
        AggregateId aggregateId, TCommand command, SendOptions options, CancellationToken cancellationToken = default)
        where TCommand : class
    {
        ArgumentNullException.ThrowIfNull(options);
        _definition.CheckAccepts(command);
        CommandId commandId = options.CommandId.IsDefault ? CommandId.New(_timeProvider) : options.CommandId;
        var envelope = new CommandEnvelope(aggregateId, commandId, command)
        {
            ExpectedVersion = options.ExpectedVersion,
            Time = options.Time,
            CorrelationId = options.CorrelationId is { } correlation ? CorrelationId.Parse(correlation) : null,
            TraceParent = options.TraceParent,
        };
        return _commands.SendAsync(envelope, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<AggregateView<TState>?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken = default) =>
        Typed(await _reader.ReadAsync(aggregateId, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async ValueTask<AggregateView<TState>?> ReadAsync(
        AggregateId aggregateId, ReadConsistency consistency, CancellationToken cancellationToken = default) =>
        Typed(await _reader.ReadAsync(aggregateId, consistency, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async ValueTask<AggregateView<TState>?> ReadAsync(
        AggregateId aggregateId, ConsistencyToken atLeast, CancellationToken cancellationToken = default) =>
        Typed(await _reader.ReadAsync(aggregateId, atLeast, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public IAsyncEnumerable<RecordedEvent> HistoryAsync(AggregateId aggregateId, long fromVersion = 1,
        CancellationToken cancellationToken = default) => _history.EventsAsync(aggregateId, fromVersion, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<AggregateView<TState>?> ReadVersionAsync(AggregateId aggregateId, long version,
        CancellationToken cancellationToken = default) =>
        Typed(await _history.ReadVersionAsync(aggregateId, version, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async ValueTask<AggregateView<TState>?> ReadAsOfAsync(AggregateId aggregateId, DateTimeOffset time,
        CancellationToken cancellationToken = default) =>
        Typed(await _history.ReadAsOfAsync(aggregateId, time, cancellationToken).ConfigureAwait(false));

    private AggregateView<TState>? Typed(AggregateView? view) => view is null ? null : _definition.Typed(view);
}
