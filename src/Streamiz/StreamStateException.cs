namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// What a store of streams has does not fit the events or the code: an event is missing between two, or the schema of the state is another
/// one. The streams stand still until somebody has looked; the message says what to do.
/// </summary>
public sealed class StreamStateException : Exception
{
    /// <summary>Says what does not fit.</summary>
    public StreamStateException(string message)
        : base(message)
    {
    }

    /// <summary>Says what does not fit, and because of what.</summary>
    public StreamStateException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
