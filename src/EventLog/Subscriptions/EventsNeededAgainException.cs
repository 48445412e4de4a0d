namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Thrown by the handler of a subscription that needs earlier events of the partition again: reading begins anew where its <c>startOf</c>
/// says.
/// </summary>
public sealed class EventsNeededAgainException : Exception
{
    /// <summary>With <paramref name="message"/>, which says why.</summary>
    public EventsNeededAgainException(string message)
        : base(message)
    {
    }
}
