namespace KafkaEventSourcing.EventLog;

/// <summary>How a subscription reads.</summary>
public sealed record EventSubscriptionOptions
{
    /// <summary>The consumer group that shares the partitions; positions come from the subscriber, never from Kafka alone.</summary>
    public required string GroupId { get; init; }

    /// <summary>The most events of one batch. Default 10,000.</summary>
    public int MaxBatchEvents { get; init; } = 10_000;

    /// <summary>The most bytes of one batch, but for a single event that is larger. Default 4 MiB.</summary>
    public long MaxBatchBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>
    /// The most bytes that wait to be handed over, shared evenly by the partitions that this node reads (256 KiB each at least); a
    /// partition that has its share pauses. Default 64 MiB.
    /// </summary>
    public long MaxWaitingBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>
    /// After what silence of a subscriber its partitions go to others of the group. Default 20 s; brokers allow from 6 s to 30 min unless
    /// told otherwise.
    /// </summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Where somebody keeps the positions of what is handled: how long a partition that moves, or the end, waits for a handler that goes on
    /// though its token is cancelled. After that it is left alone, which is logged as an error, and the next owner may handle the same
    /// events at the same time. Default 30 s.
    /// </summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        if (string.IsNullOrEmpty(GroupId))
            throw new InvalidInputException(nameof(GroupId), $"{nameof(GroupId)} is empty.");
        if (MaxBatchEvents < 1)
            throw new InvalidInputException(nameof(MaxBatchEvents), $"{nameof(MaxBatchEvents)} is {MaxBatchEvents}; it must be positive.");
        if (MaxBatchBytes < 1)
            throw new InvalidInputException(nameof(MaxBatchBytes), $"{nameof(MaxBatchBytes)} is {MaxBatchBytes}; it must be positive.");
        if (MaxWaitingBytes < 1)
            throw new InvalidInputException(nameof(MaxWaitingBytes),
                $"{nameof(MaxWaitingBytes)} is {MaxWaitingBytes}; it must be positive.");
        if (SessionTimeout < TimeSpan.FromSeconds(1))
            throw new InvalidInputException(nameof(SessionTimeout),
                $"{nameof(SessionTimeout)} is {SessionTimeout}; it must be at least a second.");
        if (StopTimeout <= TimeSpan.Zero || StopTimeout > TimeSpan.FromDays(1))
            throw new InvalidInputException(nameof(StopTimeout),
                $"{nameof(StopTimeout)} is {StopTimeout}; it must be positive and at most a day.");
    }
}
