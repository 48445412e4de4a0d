namespace KafkaEventSourcing.Subscriptions;

/// <summary>Puts a subscription together. Not thread-safe.</summary>
public sealed class SubscriptionBuilder
{
    private readonly string _name;
    private readonly List<AggregateDefinition> _aggregates = [];
    private readonly Dictionary<Type, HandlerCall> _handlers = [];
    private SubscriptionStart _start = SubscriptionStart.Beginning;
    private SubscriptionOptions _options = new();

    internal SubscriptionBuilder(string name) => _name = name;

    /// <summary>Reads the events of <paramref name="aggregates"/> too.</summary>
    public SubscriptionBuilder From(params ReadOnlySpan<AggregateDefinition> aggregates)
    {
        foreach (AggregateDefinition aggregate in aggregates)
        {
            ArgumentNullException.ThrowIfNull(aggregate, nameof(aggregates));
            if (_aggregates.Exists(a => a.Name == aggregate.Name))
                throw new InvalidOperationException($"The subscription '{_name}' already reads the events of '{aggregate.Name}'.");
            _aggregates.Add(aggregate);
        }

        return this;
    }

    /// <summary>
    /// Calls <paramref name="handle"/> for each event of <typeparamref name="TEvent"/>, as <see cref="ISubscriptionHandler{TEvent}"/> says.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type has a handler already.</exception>
    public SubscriptionBuilder On<TEvent>(Func<TEvent, EventContext, CancellationToken, Task> handle)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(handle);
        return On(typeof(TEvent), new GivenHandler<TEvent>(handle));
    }

    /// <summary>Gives <paramref name="handler"/> each event of <typeparamref name="TEvent"/>.</summary>
    /// <exception cref="InvalidOperationException">The type has a handler already.</exception>
    public SubscriptionBuilder On<TEvent>(ISubscriptionHandler<TEvent> handler)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(handler);
        return On<TEvent>(handler.HandleAsync);
    }

    /// <summary>
    /// Gives each event of <typeparamref name="TEvent"/> to a <typeparamref name="THandler"/> that is made for the attempt, in a scope of
    /// the container's of its own, so that it may take what the application has registered: a client, a <c>DbContext</c>, a logger. One
    /// that is registered itself comes from the container and lives as it says there; any other is disposed after the attempt.
    /// </summary>
    /// <remarks>
    /// A node makes it once before it handles anything: a handler that cannot be made ends the start with a
    /// <see cref="HandlerActivationException"/>. A constructor takes what it needs, and does nothing.
    /// </remarks>
    /// <exception cref="InvalidOperationException">The type has a handler already.</exception>
    public SubscriptionBuilder On<TEvent, THandler>()
        where TEvent : class
        where THandler : class, ISubscriptionHandler<TEvent> => On(typeof(TEvent), new ScopedHandler<TEvent, THandler>());

    /// <summary>Says where to begin when the subscription is new. Default: at the first event.</summary>
    public SubscriptionBuilder StartingAt(SubscriptionStart start)
    {
        ArgumentNullException.ThrowIfNull(start);
        _start = start;
        return this;
    }

    /// <summary>Says how to handle.</summary>
    /// <exception cref="InvalidInputException">An option is out of range.</exception>
    public SubscriptionBuilder With(SubscriptionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        return this;
    }

    /// <summary>The subscription as described so far.</summary>
    /// <exception cref="InvalidOperationException">It reads no aggregate type, handles nothing, or handles a type that is not an event of
    /// what it reads.</exception>
    public SubscriptionDefinition Build()
    {
        if (_aggregates.Count == 0)
            throw new InvalidOperationException($"The subscription '{_name}' reads no aggregate type: call {nameof(From)}.");
        if (_handlers.Count == 0)
            throw new InvalidOperationException($"The subscription '{_name}' handles no event: call {nameof(On)}.");
        if (_handlers.Keys.FirstOrDefault(t => !_aggregates.Exists(a => a.EventTypes.Contains(t))) is { } stranger)
            throw new InvalidOperationException($"The subscription '{_name}' handles {stranger.Name}, which "
                + (_aggregates.Find(a => a.UpcastTypes.Contains(stranger)) is { } upcasting
                    ? $"'{upcasting.Name}' upcasts: no reader sees it. Handle what it is upcast to."
                    : $"is not an event of {string.Join(", ", _aggregates.Select(a => $"'{a.Name}'"))}."));
        return new SubscriptionDefinition(_name, [.. _aggregates], _start, _options, _handlers);
    }

    private SubscriptionBuilder On(Type eventType, HandlerCall handler)
    {
        if (!_handlers.TryAdd(eventType, handler))
            throw new InvalidOperationException($"The subscription '{_name}' already handles {eventType.Name}.");
        return this;
    }
}
