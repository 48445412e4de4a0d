namespace KafkaEventSourcing.Subscriptions;

/// <summary>How a subscription handles events.</summary>
public sealed record SubscriptionOptions
{
    /// <summary>How many aggregates of one partition are handled at the same time. Default 8.</summary>
    public int MaxAggregatesPerPartition { get; init; } = 8;

    /// <summary>The most events of one batch; the position moves when all of a batch are handled. Default 500.</summary>
    public int MaxBatchEvents { get; init; } = 500;

    /// <summary>The most bytes that wait, shared by the partitions of an aggregate type. Default 16 MiB.</summary>
    public long MaxWaitingBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>How often an event is handed over before its aggregate is parked. Default 5.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>
    /// How many aggregates of one partition may be parked. At an event that would park one more the partition stands still, and tries
    /// again. Default 100; 0: none is parked.
    /// </summary>
    public int MaxParkedAggregates { get; init; } = 100;

    /// <summary>
    /// The revision of the handlers. Raise it in a version that can handle what the one before could not: aggregates that are parked under
    /// a lower revision are tried again, once, when their partition is assigned. Default 0.
    /// </summary>
    public int Revision { get; init; }

    /// <summary>The delay before the second attempt; it doubles from then on, with jitter. Default 200 ms.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The longest delay between attempts. Default 30 s.</summary>
    public TimeSpan MaxRetryDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After what silence of a node its partitions go to others. Default 20 s.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long a partition that moves, or a node that stops, waits for a handler that goes on though its token is cancelled. After that
    /// the next owner may handle the same event at the same time. Default 30 s.
    /// </summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        Positive(MaxAggregatesPerPartition, nameof(MaxAggregatesPerPartition));
        Positive(MaxBatchEvents, nameof(MaxBatchEvents));
        Positive(MaxWaitingBytes, nameof(MaxWaitingBytes));
        Positive(Attempts, nameof(Attempts));
        if (MaxParkedAggregates < 0)
            throw new InvalidInputException(nameof(MaxParkedAggregates),
                $"{nameof(MaxParkedAggregates)} is {MaxParkedAggregates}; it must not be negative.");
        if (Revision < 0)
            throw new InvalidInputException(nameof(Revision), $"{nameof(Revision)} is {Revision}; it must not be negative.");
        if (StopTimeout <= TimeSpan.Zero || StopTimeout > TimeSpan.FromDays(1))
            throw new InvalidInputException(nameof(StopTimeout),
                $"{nameof(StopTimeout)} is {StopTimeout}; it must be positive and at most a day.");
        if (RetryDelay <= TimeSpan.Zero || RetryDelay > TimeSpan.FromDays(1))
            throw new InvalidInputException(nameof(RetryDelay),
                $"{nameof(RetryDelay)} is {RetryDelay}; it must be positive and at most a day.");
        if (MaxRetryDelay < RetryDelay || MaxRetryDelay > TimeSpan.FromDays(1))
            throw new InvalidInputException(nameof(MaxRetryDelay),
                $"{nameof(MaxRetryDelay)} is {MaxRetryDelay}; it must be from {nameof(RetryDelay)} ({RetryDelay}) to a day.");
        if (SessionTimeout < TimeSpan.FromSeconds(1) || SessionTimeout > TimeSpan.FromHours(1))
            throw new InvalidInputException(nameof(SessionTimeout),
                $"{nameof(SessionTimeout)} is {SessionTimeout}; it must be from a second to an hour.");
    }

    private static void Positive(long value, string name)
    {
        if (value < 1)
            throw new InvalidInputException(name, $"{name} is {value}; it must be positive.");
    }
}
