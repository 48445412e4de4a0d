using System.Collections.Frozen;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Application code that is called for committed events. Built with <see cref="Subscription.Named"/>. Immutable; as thread-safe as its
/// handlers.
/// </summary>
public sealed class SubscriptionDefinition
{
    private readonly FrozenDictionary<Type, HandlerCall> _handlers;

    internal SubscriptionDefinition(
        string name, IReadOnlyList<AggregateDefinition> aggregates, SubscriptionStart start, SubscriptionOptions options,
        Dictionary<Type, HandlerCall> handlers)
    {
        (Name, Aggregates, Start, Options, _handlers) = (name, aggregates, start, options, handlers.ToFrozenDictionary());
    }

    /// <summary>The name, part of the consumer groups' names.</summary>
    public string Name { get; }

    /// <summary>The aggregate types whose events are read.</summary>
    public IReadOnlyList<AggregateDefinition> Aggregates { get; }

    /// <summary>The event types that are handled; others are passed.</summary>
    public IReadOnlyCollection<Type> EventTypes => _handlers.Keys;

    /// <summary>Where it begins when it is new.</summary>
    public SubscriptionStart Start { get; }

    /// <summary>How it handles.</summary>
    public SubscriptionOptions Options { get; private set; }

    /// <summary>
    /// The consumer group that shares the events of <paramref name="aggregate"/>: <c>application.subscription.name.aggregate</c>.
    /// </summary>
    public string GroupOf(string application, AggregateDefinition aggregate)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        return $"{application}.subscription.{Name}.{aggregate.Name}";
    }

    /// <summary>The same with other options, as those of the configuration.</summary>
    public SubscriptionDefinition With(SubscriptionOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var other = (SubscriptionDefinition)MemberwiseClone();
        other.Options = options;
        return other;
    }

    internal bool Handles(RecordedEvent recorded) => _handlers.ContainsKey(recorded.Payload.GetType());

    internal Task Handle(IServiceProvider? services, EventContext context, CancellationToken cancellationToken) =>
        _handlers[context.Event.Payload.GetType()].Handle(services, context.Event.Payload, context, cancellationToken);

    // Before anything is handled: what every attempt would fail with is said at once.
    internal async Task CheckHandlers(IServiceProvider? services)
    {
        foreach (HandlerCall handler in _handlers.Values)
            await handler.Check(services, Name).ConfigureAwait(false);
    }
}
