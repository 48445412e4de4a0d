namespace KafkaEventSourcing.Subscriptions;

/// <summary>Calls what the subscription was given when it was defined.</summary>
internal sealed class GivenHandler<TEvent>(Func<TEvent, EventContext, CancellationToken, Task> handle) : HandlerCall
    where TEvent : class
{
    public override Task Handle(IServiceProvider? services, object @event, EventContext context, CancellationToken cancellationToken) =>
        handle((TEvent)@event, context, cancellationToken);

    public override Task Check(IServiceProvider? services, string subscription) => Task.CompletedTask;
}
