namespace KafkaEventSourcing.Subscriptions;

/// <summary>What a handler is told besides the event itself.</summary>
public sealed record EventContext
{
    /// <summary>The subscription's name.</summary>
    public required string Subscription { get; init; }

    /// <summary>The aggregate type that the event belongs to.</summary>
    public required string AggregateType { get; init; }

    /// <summary>
    /// The event, with its aggregate, version, time and place. Aggregate type, aggregate id, version and <see cref="RecordedEvent.Part"/>
    /// name an event for good: a handler tells by them that it has seen one before.
    /// </summary>
    public required RecordedEvent Event { get; init; }

    /// <summary>Which attempt this is, from 1 on, since this node last began with the event.</summary>
    public required int Attempt { get; init; }
}
