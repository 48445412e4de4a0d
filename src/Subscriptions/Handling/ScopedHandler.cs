using Microsoft.Extensions.DependencyInjection;

namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// Makes a handler for each attempt, in a scope of its own. One that the container knows comes from it, and lives as it was registered; any
/// other is made with what the container has, and disposed after the attempt.
/// </summary>
internal sealed class ScopedHandler<TEvent, THandler> : HandlerCall
    where TEvent : class
    where THandler : class, ISubscriptionHandler<TEvent>
{
    public override Task Handle(IServiceProvider? services, object @event, EventContext context, CancellationToken cancellationToken) =>
        Use(services, context.Subscription, handler => handler.HandleAsync((TEvent)@event, context, cancellationToken));

    public override Task Check(IServiceProvider? services, string subscription) =>
        Use(services, subscription, static _ => Task.CompletedTask);

    private static async Task Use(IServiceProvider? services, string subscription, Func<THandler, Task> use)
    {
        if (services is null)
            throw new HandlerActivationException(subscription, typeof(THandler), "there are no services to make it with.", null);
        AsyncServiceScope scope = services.CreateAsyncScope();
        await using (scope.ConfigureAwait(false))
        {
            (THandler handler, bool isOwn) = Make(scope.ServiceProvider, subscription);
            try
            {
                await use(handler).ConfigureAwait(false);
            }
            finally
            {
                if (isOwn)
                    await Dispose(handler).ConfigureAwait(false);
            }
        }
    }

    private static (THandler Handler, bool IsOwn) Make(IServiceProvider services, string subscription)
    {
        try
        {
            return services.GetService<THandler>() is { } known
                ? (known, false)
                : (ActivatorUtilities.CreateInstance<THandler>(services), true);
        }
        catch (Exception failed)
        {
            throw new HandlerActivationException(subscription, typeof(THandler), failed.Message, failed);
        }
    }

    private static async ValueTask Dispose(THandler handler)
    {
        if (handler is IAsyncDisposable asynchronous)
            await asynchronous.DisposeAsync().ConfigureAwait(false);
        else
            (handler as IDisposable)?.Dispose();
    }
}
