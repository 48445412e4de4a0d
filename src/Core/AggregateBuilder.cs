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
    private readonly Dictionary<Type, Upcaster> _upcasters = [];
    private readonly Dictionary<Type, Type> _targets = [];
    private readonly HashSet<string> _ignored = [];

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

    /// <summary>
    /// Declares that events of <typeparamref name="TOld"/>, which nobody decides any more, are read as <typeparamref name="TNew"/>: by the
    /// fold, read models, subscriptions, histories and <c>verify</c> alike. <typeparamref name="TNew"/> may be upcast in its turn. Pure;
    /// the log keeps what was written. With the type in the lambda, both are inferred:
    /// <c>.Upcasts((OpenedV1 old) =&gt; new Opened { … })</c>.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type is upcast already.</exception>
    public AggregateBuilder<TState> Upcasts<TOld, TNew>(Func<TOld, TNew> upcast)
        where TOld : class
        where TNew : class
    {
        ArgumentNullException.ThrowIfNull(upcast);
        return Upcasts(typeof(TOld), typeof(TNew), (object old, in UpcastContext _) => upcast((TOld)old));
    }

    /// <summary>The same, with what never changes of the event at hand.</summary>
    /// <inheritdoc cref="Upcasts{TOld, TNew}(Func{TOld, TNew})" path="/exception"/>
    public AggregateBuilder<TState> Upcasts<TOld, TNew>(Func<TOld, UpcastContext, TNew> upcast)
        where TOld : class
        where TNew : class
    {
        ArgumentNullException.ThrowIfNull(upcast);
        return Upcasts(typeof(TOld), typeof(TNew), (object old, in UpcastContext context) => upcast((TOld)old, context));
    }

    /// <summary>
    /// The same where the type of the new event is known only when it is made. That the aggregate evolves by it is checked then, not by
    /// <see cref="Build"/>.
    /// </summary>
    /// <inheritdoc cref="Upcasts{TOld, TNew}(Func{TOld, TNew})" path="/exception"/>
    public AggregateBuilder<TState> Upcasts<TOld>(Func<TOld, object> upcast)
        where TOld : class => Upcasts<TOld, object>(upcast);

    /// <inheritdoc cref="Upcasts{TOld}(Func{TOld, object})"/>
    public AggregateBuilder<TState> Upcasts<TOld>(Func<TOld, UpcastContext, object> upcast)
        where TOld : class => Upcasts<TOld, object>(upcast);

    /// <summary>
    /// Declares that an event of <typeparamref name="TOld"/> is read as several, in order, or as none. All have its version and offset, and
    /// are told apart by <see cref="RecordedEvent.Part"/>. Of which types they are is checked when they are made.
    /// </summary>
    /// <inheritdoc cref="Upcasts{TOld, TNew}(Func{TOld, TNew})" path="/exception"/>
    public AggregateBuilder<TState> Upcasts<TOld>(Func<TOld, IEnumerable<object>> upcast)
        where TOld : class => Upcasts<TOld, IEnumerable<object>>(upcast);

    /// <inheritdoc cref="Upcasts{TOld}(Func{TOld, IEnumerable{object}})"/>
    public AggregateBuilder<TState> Upcasts<TOld>(Func<TOld, UpcastContext, IEnumerable<object>> upcast)
        where TOld : class => Upcasts<TOld, IEnumerable<object>>(upcast);

    /// <summary>
    /// Declares that events of a type which the code does not have any more are passed over, by all that reads events; they keep their
    /// versions and offsets. Counted in <c>kes_events_ignored</c>.
    /// </summary>
    /// <param name="eventType">The full name of the type's Avro schema, as it was written, such as <c>Bank.AccountRenamed</c>.</param>
    /// <exception cref="InvalidInputException">It is not a name, or not a full one of an Avro schema.</exception>
    /// <exception cref="InvalidOperationException">The type is ignored already.</exception>
    public AggregateBuilder<TState> Ignores(string eventType)
    {
        ArgumentNullException.ThrowIfNull(eventType);
        if (!eventType.Split('.').All(part =>
            part.Length > 0 && !char.IsAsciiDigit(part[0]) && part.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')))
            throw new InvalidInputException("eventType",
                $"The aggregate '{_name}' ignores '{eventType}', which is not the full name of an Avro schema, such "
                    + "as Bank.AccountRenamed.");
        if (!_ignored.Add(eventType))
            throw new InvalidOperationException($"The aggregate '{_name}' already ignores {eventType}.");
        return this;
    }

    /// <summary>Finishes the definition.</summary>
    /// <exception cref="InvalidOperationException">It decides no command or evolves by no event; or an upcast leads nowhere, round, or from
    /// a type that it evolves by.</exception>
    public AggregateDefinition<TState> Build()
    {
        if (_deciders.Count == 0)
            throw new InvalidOperationException($"The aggregate '{_name}' decides no command: call {nameof(Decides)} at least once.");
        if (_evolvers.Count == 0)
            throw new InvalidOperationException($"The aggregate '{_name}' evolves by no event: call {nameof(Evolves)} at least once.");
        var upcasters = new Upcasters(_name, _upcasters, _targets, _ignored);
        upcasters.Check(_evolvers.ContainsKey);
        if (_evolvers.Keys.FirstOrDefault(upcasters.Ignores) is { } withdrawn)
            throw new InvalidOperationException(
                $"The aggregate '{_name}' evolves by {withdrawn.Name} and ignores {withdrawn.FullName}: take one of the two away.");
        if (_reactors.Keys.FirstOrDefault(t => !_evolvers.ContainsKey(t)) is { } stranger)
            throw new InvalidOperationException(
                _upcasters.ContainsKey(stranger)
                    ? $"The aggregate '{_name}' reacts to {stranger.Name}, which it upcasts to {upcasters.Describe(stranger)}: nobody "
                        + $"decides it any more, and what it caused was sent when it was decided. React to what is decided now."
                    : $"The aggregate '{_name}' reacts to {stranger.Name}, which it does not evolve by: call {nameof(Evolves)} for it.");
        return new AggregateDefinition<TState>(_name, _initialState, _deciders, _evolvers, _reactors, upcasters);
    }

    // Where the target is several events, or any, what it is shows when it is made.
    private AggregateBuilder<TState> Upcasts(Type old, Type target, Upcaster upcast)
    {
        if (!_upcasters.TryAdd(old, upcast))
            throw new InvalidOperationException($"The aggregate '{_name}' already upcasts {old.Name}.");
        if (target != typeof(object) && !target.IsAbstract && !typeof(IEnumerable<object>).IsAssignableFrom(target))
            _targets.Add(old, target);
        return this;
    }
}
