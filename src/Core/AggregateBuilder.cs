namespace KafkaEventSourcing;

/// <summary>Collects the decisions and the evolutions of one aggregate type. Not thread-safe; used once at start-up.</summary>
public sealed class AggregateBuilder<TState>
    where TState : class
{
    private const int MaxNameLength = 64;

    private readonly string _name;
    private readonly TState _initialState;
    private readonly Dictionary<Type, Decider<TState>> _deciders = [];
    private readonly Dictionary<Type, Evolver<TState>> _evolvers = [];
    private readonly Dictionary<Type, Reactor<TState>> _reactors = [];

    internal AggregateBuilder(string name, TState initialState)
    {
        ArgumentNullException.ThrowIfNull(initialState);
        if (name.Length is 0 or > MaxNameLength || name[0] is < 'a' or > 'z'
            || name.Any(c => !(char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')))
        {
            throw new InvalidInputException("aggregate",
                $"The aggregate name '{name}' must start with a lower case letter and have at most {MaxNameLength} lower case letters, "
                    + $"digits and hyphens: it becomes part of topic names.");
        }

        (_name, _initialState) = (name, initialState);
    }

    /// <summary>Declares how <typeparamref name="TCommand"/> is decided.</summary>
    /// <exception cref="InvalidOperationException">The type is declared already.</exception>
    public AggregateBuilder<TState> Decides<TCommand>(Func<TState, TCommand, Decision> decide)
        where TCommand : class =>
        Decides<TCommand>((state, command, _) => decide(state, command));

    /// <summary>Declares how <typeparamref name="TCommand"/> is decided, with the command's id and time at hand.</summary>
    /// <exception cref="InvalidOperationException">The type is declared already.</exception>
    public AggregateBuilder<TState> Decides<TCommand>(Func<TState, TCommand, CommandContext, Decision> decide)
        where TCommand : class
    {
        if (!_deciders.TryAdd(typeof(TCommand), (TState state, object command, in CommandContext context) =>
            decide(state, (TCommand)command, context)))
            throw new InvalidOperationException($"The aggregate '{_name}' already decides {typeof(TCommand).Name}.");
        return this;
    }

    /// <summary>Declares how the state changes with <typeparamref name="TEvent"/>.</summary>
    /// <exception cref="InvalidOperationException">The type is declared already.</exception>
    public AggregateBuilder<TState> Evolves<TEvent>(Func<TState, TEvent, TState> evolve)
        where TEvent : class
    {
        if (!_evolvers.TryAdd(typeof(TEvent), (state, @event) => evolve(state, (TEvent)@event)))
            throw new InvalidOperationException($"The aggregate '{_name}' already evolves by {typeof(TEvent).Name}.");
        return this;
    }

    /// <summary>
    /// Declares what <typeparamref name="TEvent"/> causes, given the state after it: an aggregate that reacts is a process. The outcomes of
    /// its commands come back as commands that it decides (<see cref="CommandCompleted"/>), its timers as well
    /// (<see cref="TimerElapsed"/>). Pure.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type is declared already.</exception>
    public AggregateBuilder<TState> Reacts<TEvent>(Func<TState, TEvent, Reaction> react)
        where TEvent : class
    {
        if (!_reactors.TryAdd(typeof(TEvent), (state, @event) => react(state, (TEvent)@event)))
            throw new InvalidOperationException($"The aggregate '{_name}' already reacts to {typeof(TEvent).Name}.");
        return this;
    }

    /// <summary>Finishes the definition.</summary>
    /// <exception cref="InvalidOperationException">It decides no command or evolves by no event.</exception>
    public AggregateDefinition<TState> Build()
    {
        if (_deciders.Count == 0)
            throw new InvalidOperationException($"The aggregate '{_name}' decides no command: call {nameof(Decides)} at least once.");
        if (_evolvers.Count == 0)
            throw new InvalidOperationException($"The aggregate '{_name}' evolves by no event: call {nameof(Evolves)} at least once.");
        if (_reactors.Keys.FirstOrDefault(t => !_evolvers.ContainsKey(t)) is { } stranger)
            throw new InvalidOperationException(
                $"The aggregate '{_name}' reacts to {stranger.Name}, which it does not evolve by: call {nameof(Evolves)} for it.");
        return new AggregateDefinition<TState>(_name, _initialState, _deciders, _evolvers, _reactors);
    }
}
