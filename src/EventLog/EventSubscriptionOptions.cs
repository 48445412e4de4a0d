namespace KafkaEventSourcing.EventLog;

/// <summary>How a subscription reads.</summary>
public sealed record EventSubscriptionOptions
{
    /// <summary>The consumer group that shares the partitions; positions come from the subscriber, unless <see cref="KeepsPositions"/> is set.</summary>
    public required string GroupId { get; init; }

    /// <summary>
    /// Whether the positions are the group's committed offsets: a partition begins where the group has handled it up to, and only one without an offset where the subscriber says. Offsets are committed behind what was
    /// handled, each second, when a partition is given away, and at the end; a partition is given away when its handler has returned. Default false: positions come from the subscriber, never from Kafka.
    /// </summary>
    public bool KeepsPositions { get; init; }

    /// <summary>The most events of one batch. Default 10,000.</summary>
    public int MaxBatchEvents { get; init; } = 10_000;

    /// <summary>The most bytes of one batch, but for a single event that is larger. Default 4 MiB.</summary>
    public long MaxBatchBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>The most bytes that wait to be handed over, shared evenly by the partitions that this node reads (256 KiB each at least); a partition that has its share pauses. Default 64 MiB.</summary>
    public long MaxWaitingBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>After what silence of a subscriber its partitions go to others of the group. Default 20 s; brokers allow from 6 s to 30 min unless told otherwise.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(20);

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
            throw new InvalidInputException(nameof(MaxWaitingBytes), $"{nameof(MaxWaitingBytes)} is {MaxWaitingBytes}; it must be positive.");
        if (SessionTimeout < TimeSpan.FromSeconds(1))
            throw new InvalidInputException(nameof(SessionTimeout), $"{nameof(SessionTimeout)} is {SessionTimeout}; it must be at least a second.");
    }
}
