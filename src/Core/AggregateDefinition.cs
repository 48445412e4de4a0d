using System.Collections.Frozen;

namespace KafkaEventSourcing;

/// <summary>
/// One aggregate type as the engine sees it, which knows types only at run time. Applications hold an
/// <see cref="AggregateDefinition{TState}"/>, built with <see cref="Define{TState}"/>. Immutable and thread-safe.
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

    /// <summary>The event types that are only read, as what they are upcast to.</summary>
    public abstract IReadOnlyCollection<Type> UpcastTypes { get; }

    /// <summary>The full names of the Avro schemas of events that are passed over: their types are withdrawn.</summary>
    public abstract IReadOnlyCollection<string> IgnoredTypes { get; }

    /// <summary>The state of an aggregate without events.</summary>
    public abstract object InitialState { get; }

    /// <summary>Decides <paramref name="command"/> against <paramref name="state"/>: pure, no clock, no I/O, no randomness.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not declare the command's type.</exception>
    public abstract Decision Decide(object state, object command, in CommandContext context);

    /// <summary>The state after <paramref name="event"/>: pure.</summary>
    /// <exception cref="UnknownMessageTypeException">The aggregate does not declare the event's type.</exception>
    public abstract object Evolve(object state, object @event);

    /// <summary>
    /// What <paramref name="event"/>, as it was written, is read as, in order: events that the aggregate evolves by. Null: it is upcast to
    /// nothing else, and read as it is; none: it is passed over. Pure.
    /// </summary>
    /// <exception cref="InvalidOperationException">What an upcast gives is not an event of the aggregate.</exception>
    public abstract IReadOnlyList<object>? Upcast(object @event, in UpcastContext context);

    /// <summary>Whether it is a process: some of its events cause commands or set timers.</summary>
    public abstract bool Reacts { get; }

    /// <summary>What <paramref name="event"/> causes, given the state after it: pure. Nothing when it reacts to none of its type.</summary>
    public abstract Reaction React(object state, object @event);

    /// <summary>
    /// Whether callers may send <paramref name="commandType"/>: the aggregate type decides it, and it is not one that only the engine
    /// sends.
    /// </summary>
    public bool Accepts(Type commandType) => CommandTypes.Contains(commandType) && !ProcessMessages.Is(commandType);

    /// <summary>Checks that callers may send <paramref name="command"/>.</summary>
    /// <exception cref="InvalidInputException">They may not; the message names what the aggregate type decides.</exception>
    public void CheckAccepts(object command)
    {
        ArgumentNullException.ThrowIfNull(command);
        if (!Accepts(command.GetType()))
            throw new InvalidInputException("command",
                $"The aggregate '{Name}' does not decide {command.GetType().Name}; it "
                    + $"decides {string.Join(", ", CommandTypes.Where(Accepts).Select(t => t.Name).Order(StringComparer.Ordinal))}.");
    }

    /// <summary>Starts the definition of an aggregate type.</summary>
    /// <param name="name">The name in topic names: a lower case letter, then lower case letters, digits and hyphens, at most 64.</param>
    /// <param name="initialState">The state of an aggregate without events.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    public static AggregateBuilder<TState> Define<TState>(string name, TState initialState)
        where TState : class => new(name, initialState);
}

/// <summary>One aggregate type: its name, its message types, and its two pure functions. Immutable and thread-safe.</summary>
/// <typeparam name="TState">The state that commands are decided against and events are folded into.</typeparam>
public sealed class AggregateDefinition<TState> : AggregateDefinition
    where TState : class
{
    private readonly FrozenDictionary<Type, Decider<TState>> _deciders;
    private readonly FrozenDictionary<Type, Evolver<TState>> _evolvers;
    private readonly FrozenDictionary<Type, Reactor<TState>> _reactors;
    private readonly Upcasters _upcasters;
    private readonly Func<Type, bool> _evolves;

    internal AggregateDefinition(string name, TState initialState, Dictionary<Type, Decider<TState>> deciders,
        Dictionary<Type, Evolver<TState>> evolvers, Dictionary<Type, Reactor<TState>> reactors, Upcasters upcasters)
        : base(name, typeof(TState))
    {
        InitialState = initialState;
        _deciders = deciders.ToFrozenDictionary();
        _evolvers = evolvers.ToFrozenDictionary();
        _reactors = reactors.ToFrozenDictionary();
        _upcasters = upcasters;
        _evolves = _evolvers.ContainsKey;
    }

    /// <inheritdoc/>
    public override IReadOnlyCollection<Type> CommandTypes => _deciders.Keys;

    /// <inheritdoc/>
    public override IReadOnlyCollection<Type> EventTypes => _evolvers.Keys;

    /// <inheritdoc/>
    public override IReadOnlyCollection<Type> UpcastTypes => _upcasters.Types;

    /// <inheritdoc/>
    public override IReadOnlyCollection<string> IgnoredTypes => _upcasters.Ignored;

    /// <inheritdoc/>
    public override bool Reacts => _reactors.Count > 0;

    /// <inheritdoc/>
    public override TState InitialState { get; }

    /// <inheritdoc/>
    public override Decision Decide(object state, object command, in CommandContext context) =>
        _deciders.TryGetValue(command.GetType(), out Decider<TState>? decide)
            ? decide((TState)state, command, context)
            : throw new UnknownMessageTypeException(Name, "command", command.GetType(), CommandTypes);

    /// <inheritdoc/>
    public override TState Evolve(object state, object @event) =>
        _evolvers.TryGetValue(@event.GetType(), out Evolver<TState>? evolve)
            ? evolve((TState)state, @event)
            : throw NotEvolved(@event.GetType());

    /// <inheritdoc/>
    public override IReadOnlyList<object>? Upcast(object @event, in UpcastContext context) =>
        _upcasters.Apply(@event, context, _evolves);

    /// <inheritdoc/>
    public override Reaction React(object state, object @event) =>
        _reactors.TryGetValue(@event.GetType(), out Reactor<TState>? react) ? react((TState)state, @event) : Reaction.None;

    /// <summary>What the engine has read of one of these aggregates, with the type of its state.</summary>
    /// <exception cref="ArgumentException">It is of another aggregate type.</exception>
    public AggregateView<TState> Typed(AggregateView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        return view.State is TState state
            ? new AggregateView<TState>(view.AggregateId, view.Version, state, view.Token)
            : throw new ArgumentException($"The state of '{view.AggregateId}' is a {view.State.GetType().Name}; that of the aggregate "
                + $"'{Name}' is a {typeof(TState).Name}.", nameof(view));
    }

    private UnknownMessageTypeException NotEvolved(Type type) =>
        UpcastTypes.Contains(type)
            ? new UnknownMessageTypeException(type,
                $"The aggregate '{Name}' only reads {type.FullName}, and upcasts it to {_upcasters.Describe(type)}: decide that.")
            : _upcasters.Ignores(type)
            ? new UnknownMessageTypeException(type, $"The aggregate '{Name}' ignores {type.FullName}: it is withdrawn, and not decided.")
            : new UnknownMessageTypeException(Name, "event", type, EventTypes);
}

internal delegate Decision Decider<TState>(TState state, object command, in CommandContext context);

internal delegate TState Evolver<TState>(TState state, object @event);

internal delegate Reaction Reactor<TState>(TState state, object @event);
