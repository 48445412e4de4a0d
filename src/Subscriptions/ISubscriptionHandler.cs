namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Handles committed events of one type, at least once, and in order for each aggregate. It is called for several aggregates at the same
/// time.
/// </summary>
public interface ISubscriptionHandler<in TEvent>
    where TEvent : class
{
    /// <summary>Handles <paramref name="event"/>. When it throws, it is called again after a while with the same event.</summary>
    /// <param name="event">The event.</param>
    /// <param name="context">What is known about it.</param>
    /// <param name="cancellationToken">Is cancelled when the node stops or the partition moves; the event then comes again, here or at
    /// another node.</param>
    Task HandleAsync(TEvent @event, EventContext context, CancellationToken cancellationToken = default);
}
