namespace KafkaEventSourcing;

/// <summary>More commands wait than may wait. This one was not taken and has had no effect; try again in a while.</summary>
public sealed class OverloadedException : Exception
{
    /// <summary>Creates the error; <paramref name="message"/> says what is full.</summary>
    public OverloadedException(string message) : base(message)
    {
    }
}
