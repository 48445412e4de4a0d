namespace KafkaEventSourcing.Testing;

/// <summary>
/// Aggregates of one type in memory, for tests of code that is given an <see cref="IAggregateClient{TState}"/>: they decide, evolve, know
/// command ids and check versions as a node does, and forget all when they are collected. What a process sends goes nowhere. What Avro
/// cannot encode, or Kafka cannot hold, is not noticed. Thread-safe.
/// </summary>
public sealed class InMemoryAggregateClient<TState> : IAggregateClient<TState>
    where TState : class
{
    private readonly Lock _lock = new();
    private readonly AggregateDefinition<TState> _definition;
    private readonly TimeProvider _timeProvider;
    private readonly Dictionary<AggregateId, Entry> _entries = [];
    private readonly List<RecordedEvent> _events = [];
    private long _nextOffset;

    /// <summary>Starts without aggregates.</summary>
    /// <param name="definition">The aggregate type.</param>
    /// <param name="timeProvider">What commands without a time of their own get it from. Null, the default: the system's clock.</param>
    public InMemoryAggregateClient(AggregateDefinition<TState> definition, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(definition);
        (_definition, _timeProvider) = (definition, timeProvider ?? TimeProvider.System);
    }

    /// <summary>All events so far, of all aggregates, in the order in which they came to be.</summary>
    public IReadOnlyList<RecordedEvent> Events
    {
        get
        {
            lock (_lock)
                return [.. _events];
        }
    }

    /// <summary>Lets <paramref name="events"/> have happened to an aggregate; old ones are upcast.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not evolve by one of them.</exception>
    /// <exception cref="InvalidOperationException">What one of them is upcast to is not an event of the aggregate.</exception>
    public void Given(AggregateId aggregateId, params IReadOnlyList<object> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        lock (_lock)
        {
            Entry entry = EntryOf(aggregateId);
            DateTimeOffset time = _timeProvider.GetUtcNow();
            IReadOnlyList<object>[] current = [.. events.Select((happened, i) =>
                CurrentEvents.Of(_definition, happened, new UpcastContext(aggregateId, entry.Version + i + 1, time)))];
            Append(entry, CommandId.New(_timeProvider), time, null, current, current.SelectMany(e => e).Aggregate(entry.State, Evolve));
        }
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
        if (options.ExpectedVersion.IsDefault)
            throw new InvalidInputException("expectedVersion", "The expected version is default: say any, new, exists, or a number.");
        if (options.CorrelationId is { } correlation)
            CorrelationId.Parse(correlation);
        if (cancellationToken.IsCancellationRequested)
            return Task.FromCanceled<CommandResult>(cancellationToken);
        CommandId commandId = options.CommandId.IsDefault ? CommandId.New(_timeProvider) : options.CommandId;
        lock (_lock)
            return Task.FromResult(Answer(EntryOf(aggregateId), commandId, command, options));
    }

    /// <inheritdoc/>
    public ValueTask<AggregateView<TState>?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken = default) =>
        ReadAsync(aggregateId, ReadConsistency.Strong, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<AggregateView<TState>?> ReadAsync(
        AggregateId aggregateId, ReadConsistency consistency, CancellationToken cancellationToken = default)
    {
        _ = aggregateId.Value;
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<AggregateView<TState>?>(cancellationToken);
        lock (_lock)
            return ValueTask.FromResult(_entries.TryGetValue(aggregateId, out Entry? entry) && entry.Version > 0
                ? new AggregateView<TState>(aggregateId, entry.Version, entry.State, entry.Token)
                : null);
    }

    /// <inheritdoc/>
    public ValueTask<AggregateView<TState>?> ReadAsync(
        AggregateId aggregateId, ConsistencyToken atLeast, CancellationToken cancellationToken = default)
    {
        if (atLeast.IsDefault)
            throw new InvalidInputException("token", "The consistency token is default: no position was given.");
        if (atLeast.Partition != 0)
            throw new InvalidInputException("token",
                $"The token {atLeast} is of partition {atLeast.Partition}, and '{aggregateId}' is in partition 0: it is not of a write to "
                    + $"this {_definition.Name}.");
        lock (_lock)
        {
            if (atLeast.Offset >= _nextOffset)
                throw new AggregateUnavailableException(0, $"There is no event at {atLeast}.");
        }

        return ReadAsync(aggregateId, ReadConsistency.Strong, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<RecordedEvent> HistoryAsync(AggregateId aggregateId, long fromVersion = 1,
        CancellationToken cancellationToken = default)
    {
        _ = aggregateId.Value;
        if (fromVersion < 1)
            throw new InvalidInputException("from", $"from is {fromVersion}; versions begin at 1.");
        return EventsOf(aggregateId, fromVersion).ToAsyncEnumerable();
    }

    /// <inheritdoc/>
    public ValueTask<AggregateView<TState>?> ReadVersionAsync(AggregateId aggregateId, long version,
        CancellationToken cancellationToken = default)
    {
        if (version < 1)
            throw new InvalidInputException("version", $"version is {version}; versions begin at 1.");
        List<RecordedEvent> events = [.. EventsOf(aggregateId, 1).Where(e => e.Version <= version)];
        return ValueTask.FromResult(events is [.., { } last] && last.Version == version
            ? new AggregateView<TState>(aggregateId, version, events.Select(e => e.Payload).Aggregate(_definition.InitialState, Evolve),
                new ConsistencyToken(0, last.Offset))
            : null);
    }

    /// <inheritdoc/>
    public ValueTask<AggregateView<TState>?> ReadAsOfAsync(AggregateId aggregateId, DateTimeOffset time,
        CancellationToken cancellationToken = default) => EventsOf(aggregateId, 1).LastOrDefault(e => e.Time <= time) is { } newest
        ? ReadVersionAsync(aggregateId, newest.Version, cancellationToken)
        : ValueTask.FromResult<AggregateView<TState>?>(null);

    private List<RecordedEvent> EventsOf(AggregateId id, long from)
    {
        lock (_lock)
            return _events.FindAll(e => e.AggregateId == id && e.Version >= from);
    }

    private CommandResult Answer(Entry entry, CommandId commandId, object command, SendOptions options)
    {
        if (entry.Outcomes.TryGetValue(commandId, out (object Command, ExpectedVersion Expected, CommandResult Result) first))
            return FirstOutcome(entry, commandId, command, options.ExpectedVersion, first);
        CommandResult result = Decide(entry, commandId, command, options);
        if (result is not CommandResult.Faulted) // a command that could not be decided may be sent again
            entry.Outcomes.Add(commandId, (command, options.ExpectedVersion, result));
        return result;
    }

    private CommandResult Decide(Entry entry, CommandId commandId, object command, SendOptions options)
    {
        if (!options.ExpectedVersion.IsMetBy(entry.Version))
            return new CommandResult.Conflict(commandId, entry.Id, entry.Version, options.ExpectedVersion);
        DateTimeOffset time = options.Time ?? _timeProvider.GetUtcNow();
        Decision decision;
        TState state;
        try
        {
            decision = _definition.Decide(entry.State, command, new CommandContext(entry.Id, commandId, time, entry.Version));
            state = decision.Events.Aggregate(entry.State, Evolve);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return new CommandResult.Faulted(commandId, entry.Id, entry.Version, "decide-failed",
                $"{command.GetType().Name} could not be decided: {failure.GetType().Name}: {failure.Message}");
        }

        if (decision.Rejection is { } rejection)
            return new CommandResult.Rejected(commandId, entry.Id, entry.Version, rejection);
        Append(entry, commandId, time, options.CorrelationId, [.. decision.Events.Select(IReadOnlyList<object> (e) => [e])], state);
        return new CommandResult.Accepted(commandId, entry.Id, entry.Version, entry.Token);
    }

    private static CommandResult FirstOutcome(Entry entry, CommandId commandId, object command, ExpectedVersion expected,
        (object Command, ExpectedVersion Expected, CommandResult Result) first)
    {
        string[] differences =
        [
            .. command.GetType() != first.Command.GetType() ? ["type"] : command.Equals(first.Command) ? Array.Empty<string>() : ["body"],
            .. expected == first.Expected ? Array.Empty<string>() : ["expected version"],
        ];
        string difference = string.Join(", ", differences);
        return differences.Length == 0
            ? first.Result with { IsDuplicate = true }
            : new CommandResult.Rejected(commandId, entry.Id, entry.Version, new Rejection(
                Rejection.CommandIdReused,
                $"The id '{commandId}' was that of another command of '{entry.Id}'; this one differs in "
                    + $"its {difference}. Nothing was changed.",
                new Dictionary<string, string> { ["differs"] = difference }));
    }

    // Each event with what it is read as.
    private void Append(Entry entry, CommandId commandId, DateTimeOffset time, string? correlationId,
        IReadOnlyList<IReadOnlyList<object>> events, TState state)
    {
        foreach (IReadOnlyList<object> parts in events)
        {
            entry.Version++;
            entry.Token = new ConsistencyToken(0, _nextOffset);
            _events.AddRange(parts.Select((payload, part) => new RecordedEvent
            {
                AggregateId = entry.Id,
                Version = entry.Version,
                Payload = payload,
                Part = part,
                Parts = parts.Count,
                Partition = 0,
                Offset = _nextOffset,
                Time = time,
                CommandId = commandId,
                CorrelationId = correlationId ?? commandId.Value,
            }));
            _nextOffset++;
        }

        entry.State = state;
    }

    private Entry EntryOf(AggregateId id)
    {
        _ = id.Value;
        if (!_entries.TryGetValue(id, out Entry? entry))
            _entries.Add(id, entry = new Entry { Id = id, State = _definition.InitialState });
        return entry;
    }

    private TState Evolve(TState state, object @event) => _definition.Evolve(state, @event);

    private sealed class Entry
    {
        public required AggregateId Id { get; init; }

        public required TState State { get; set; }

        public long Version { get; set; }

        public ConsistencyToken Token { get; set; }

        public Dictionary<CommandId, (object Command, ExpectedVersion Expected, CommandResult Result)> Outcomes { get; } = [];
    }
}
