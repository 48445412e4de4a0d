namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The log holds what this node must not go on with: a record on the wrong partition, or events of types that its code does not have.
/// Trying again gives the same; an operator has to act, as the message says.
/// </summary>
public sealed class LogRefusedException : Exception
{
    /// <summary>With <paramref name="message"/>, which names the records and what to do.</summary>
    public LogRefusedException(string message)
        : base(message)
    {
    }
}
