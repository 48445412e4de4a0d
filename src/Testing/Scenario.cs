namespace KafkaEventSourcing.Testing;

/// <summary>
/// A domain test without infrastructure: given events, when a command, then events or a rejection. Immutable: each step returns a new scenario,
/// so a common beginning can be shared.
/// </summary>
public sealed class Scenario
{
    private static readonly DateTimeOffset DefaultTime = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly AggregateDefinition _definition;
    private readonly object _state;
    private readonly long _version;
    private readonly AggregateId _id;
    private readonly DateTimeOffset _time;

    private Scenario(AggregateDefinition definition, object state, long version, AggregateId id, DateTimeOffset time) =>
        (_definition, _state, _version, _id, _time) = (definition, state, version, id, time);

    /// <summary>Starts a scenario of an aggregate without events.</summary>
    public static Scenario Of(AggregateDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return new Scenario(definition, definition.InitialState, 0, AggregateId.Parse("scenario"), DefaultTime);
    }

    /// <summary>Sets the aggregate's id and the time of the command. Defaults: <c>scenario</c>, and noon of 1 January 2026 UTC.</summary>
    public Scenario In(AggregateId id, DateTimeOffset time) => new(_definition, _state, _version, id, time);

    /// <summary>Adds events that have happened, in order.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not evolve by one of them.</exception>
    public Scenario Given(params IReadOnlyList<object> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        return new Scenario(_definition, events.Aggregate(_state, _definition.Evolve), _version + events.Count, _id, _time);
    }

    /// <summary>Decides a command.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not decide it.</exception>
    public ScenarioOutcome When(object command)
    {
        ArgumentNullException.ThrowIfNull(command);
        var context = new CommandContext(_id, CommandId.Parse("scenario-command"), _time, _version);
        Decision decision = _definition.Decide(_state, command, context);
        object after = _state;
        var reactions = new List<Reaction>();
        foreach (object decided in decision.Events)
        {
            after = _definition.Evolve(after, decided);
            reactions.Add(_definition.React(after, decided));
        }

        return new ScenarioOutcome(decision, after, reactions);
    }
}
