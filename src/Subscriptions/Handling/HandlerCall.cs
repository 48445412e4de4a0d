namespace KafkaEventSourcing.Subscriptions;

/// <summary>How events of one type are handled. Thread-safe.</summary>
internal abstract class HandlerCall
{
    /// <summary>Handles <paramref name="event"/>, in one attempt.</summary>
    /// <param name="services">The container; null: there is none.</param>
    /// <param name="event">The event.</param>
    /// <param name="context">What is known about it.</param>
    /// <param name="cancellationToken">That of the attempt.</param>
    public abstract Task Handle(IServiceProvider? services, object @event, EventContext context, CancellationToken cancellationToken);

    /// <summary>Checks that it can be called: what it needs is there.</summary>
    /// <exception cref="HandlerActivationException">It cannot.</exception>
    public abstract Task Check(IServiceProvider? services, string subscription);
}
