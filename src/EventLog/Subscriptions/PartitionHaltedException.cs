namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Thrown by an <see cref="IPositionKeeper"/> when a partition must not be read, as its log is not the one that was read before: it stands
/// still with the message, and is looked at again when it is assigned again.
/// </summary>
internal sealed class PartitionHaltedException : Exception
{
    /// <summary>With <paramref name="message"/>, which says what is wrong and what to do.</summary>
    public PartitionHaltedException(string message)
        : base(message)
    {
    }
}
