namespace KafkaEventSourcing.Subscriptions;

/// <summary>
/// A handler of a subscription cannot be made: something that its constructor takes is not registered, or the constructor has thrown. At
/// the start of a node it ends the start; later it is a failed attempt.
/// </summary>
public sealed class HandlerActivationException : Exception
{
    internal HandlerActivationException(string subscription, Type handler, string why, Exception? cause)
        : base($"The handler {handler.Name} of the subscription '{subscription}' cannot be made: {why} What its constructor takes is "
            + $"registered with the services of the host, or in a program of the command line by WithServices.", cause) =>
        (Subscription, Handler) = (subscription, handler);

    /// <summary>The subscription's name.</summary>
    public string Subscription { get; }

    /// <summary>The type of the handler.</summary>
    public Type Handler { get; }
}
