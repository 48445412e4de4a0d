namespace KafkaEventSourcing.Testing;

/// <summary>
/// A domain test without infrastructure: given events, when a command, then events or a rejection. Immutable: each step returns a new
/// scenario, so a common beginning can be shared.
/// </summary>
public static class Scenario
{
    private static readonly DateTimeOffset DefaultTime = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    /// <summary>Starts a scenario of an aggregate without events.</summary>
    public static Scenario<TState> Of<TState>(AggregateDefinition<TState> definition)
        where TState : class
    {
        ArgumentNullException.ThrowIfNull(definition);
        return new Scenario<TState>(definition, definition.InitialState, 0, AggregateId.Parse("scenario"), DefaultTime);
    }
}

/// <inheritdoc cref="Scenario"/>
public sealed class Scenario<TState>
    where TState : class
{
    private readonly AggregateDefinition<TState> _definition;
    private readonly TState _state;
    private readonly long _version;
    private readonly AggregateId _id;
    private readonly DateTimeOffset _time;

    internal Scenario(AggregateDefinition<TState> definition, TState state, long version, AggregateId id, DateTimeOffset time) =>
        (_definition, _state, _version, _id, _time) = (definition, state, version, id, time);

    /// <summary>Sets the aggregate's id and the time of the command. Defaults: <c>scenario</c>, and noon of 1 January 2026 UTC.</summary>
    public Scenario<TState> In(AggregateId id, DateTimeOffset time) => new(_definition, _state, _version, id, time);

    /// <summary>Adds events that have happened, in order; old ones are upcast.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not evolve by one of them.</exception>
    /// <exception cref="InvalidOperationException">What one of them is upcast to is not an event of the aggregate.</exception>
    public Scenario<TState> Given(params IReadOnlyList<object> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        (TState state, long version) = (_state, _version);
        foreach (object happened in events)
            state = CurrentEvents.Of(_definition, happened, new UpcastContext(_id, ++version, _time)).Aggregate(state, Evolve);
        return new Scenario<TState>(_definition, state, version, _id, _time);
    }

    /// <summary>Reads an event of before, as the next of the aggregate, by all upcasts that there are for it.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not have its type.</exception>
    /// <exception cref="InvalidOperationException">What it is upcast to is not an event of the aggregate.</exception>
    public UpcastOutcome Upcast(object old)
    {
        ArgumentNullException.ThrowIfNull(old);
        return new UpcastOutcome(CurrentEvents.Of(_definition, old, new UpcastContext(_id, _version + 1, _time)));
    }

    /// <summary>Decides a command.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not decide it.</exception>
    public ScenarioOutcome<TState> When(object command)
    {
        ArgumentNullException.ThrowIfNull(command);
        var context = new CommandContext(_id, CommandId.Parse("scenario-command"), _time, _version);
        Decision decision = _definition.Decide(_state, command, context);
        TState after = _state;
        var reactions = new List<Reaction>();
        foreach (object decided in decision.Events)
        {
            after = Evolve(after, decided);
            reactions.Add(_definition.React(after, decided));
        }

        return new ScenarioOutcome<TState>(decision, after, reactions);
    }

    private TState Evolve(TState state, object @event) => _definition.Evolve(state, @event);
}
