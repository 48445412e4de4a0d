using System.Collections.Frozen;

namespace KafkaEventSourcing;

/// <summary>
/// One aggregate type as the engine sees it: its name, its message types, and its two pure functions. Built with
/// <see cref="Define{TState}"/>. Immutable and thread-safe.
/// </summary>
public abstract class AggregateDefinition
{
    private protected AggregateDefinition(string name, Type stateType) => (Name, StateType) = (name, stateType);

    /// <summary>The aggregate type's name in topic names: lower case letters, digits and hyphens.</summary>
    public string Name { get; }

    /// <summary>The type of the state.</summary>
    public Type StateType { get; }

    /// <summary>The command types that it decides.</summary>
    public abstract IReadOnlyCollection<Type> CommandTypes { get; }

    /// <summary>The event types that it evolves by.</summary>
    public abstract IReadOnlyCollection<Type> EventTypes { get; }

    /// <summary>The state of an aggregate without events.</summary>
    public abstract object InitialState { get; }

    /// <summary>Decides <paramref name="command"/> against <paramref name="state"/>: pure, no clock, no I/O, no randomness.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not declare the command's type.</exception>
    public abstract Decision Decide(object state, object command, in CommandContext context);

    /// <summary>The state after <paramref name="event"/>: pure.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not declare the event's type.</exception>
    public abstract object Evolve(object state, object @event);

    /// <summary>Whether it is a process: some of its events cause commands or set timers.</summary>
    public abstract bool Reacts { get; }

    /// <summary>What <paramref name="event"/> causes, given the state after it: pure. Nothing when it reacts to none of its type.</summary>
    public abstract Reaction React(object state, object @event);

    /// <summary>Starts the definition of an aggregate type.</summary>
    /// <param name="name">The name in topic names: a lower case letter, then lower case letters, digits and hyphens, at most 64.</param>
    /// <param name="initialState">The state of an aggregate without events.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    public static AggregateBuilder<TState> Define<TState>(string name, TState initialState)
        where TState : class => new(name, initialState);
}

internal sealed class AggregateDefinition<TState> : AggregateDefinition
    where TState : class
{
    private readonly FrozenDictionary<Type, Decider<TState>> _deciders;
    private readonly FrozenDictionary<Type, Evolver<TState>> _evolvers;
    private readonly FrozenDictionary<Type, Reactor<TState>> _reactors;

    internal AggregateDefinition(string name, TState initialState, Dictionary<Type, Decider<TState>> deciders, Dictionary<Type, Evolver<TState>> evolvers, Dictionary<Type, Reactor<TState>> reactors)
        : base(name, typeof(TState))
    {
        InitialState = initialState;
        _deciders = deciders.ToFrozenDictionary();
        _evolvers = evolvers.ToFrozenDictionary();
        _reactors = reactors.ToFrozenDictionary();
    }

    public override IReadOnlyCollection<Type> CommandTypes => _deciders.Keys;

    public override IReadOnlyCollection<Type> EventTypes => _evolvers.Keys;

    public override bool Reacts => _reactors.Count > 0;

    public override object InitialState { get; }

    public override Decision Decide(object state, object command, in CommandContext context) =>
        _deciders.TryGetValue(command.GetType(), out Decider<TState>? decide)
            ? decide((TState)state, command, context)
            : throw new UnknownMessageTypeException(Name, "command", command.GetType(), CommandTypes);

    public override object Evolve(object state, object @event) =>
        _evolvers.TryGetValue(@event.GetType(), out Evolver<TState>? evolve)
            ? evolve((TState)state, @event)
            : throw new UnknownMessageTypeException(Name, "event", @event.GetType(), EventTypes);

    public override Reaction React(object state, object @event) =>
        _reactors.TryGetValue(@event.GetType(), out Reactor<TState>? react) ? react((TState)state, @event) : Reaction.None;
}

internal delegate Decision Decider<TState>(TState state, object command, in CommandContext context);

internal delegate TState Evolver<TState>(TState state, object @event);

internal delegate Reaction Reactor<TState>(TState state, object @event);
