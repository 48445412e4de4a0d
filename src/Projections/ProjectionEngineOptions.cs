namespace KafkaEventSourcing.Projections;

/// <summary>How the projection engine batches.</summary>
public sealed record ProjectionEngineOptions
{
    /// <summary>The most events written in one transaction, over all partitions. Default 8,000, above which memory grows and throughput does not.</summary>
    public int MaxEventsPerTransaction { get; init; } = 8_000;

    /// <summary>The most bytes of events written in one transaction, over all partitions, but for a single batch that has more. Default 8 MiB.</summary>
    public long MaxBytesPerTransaction { get; init; } = 8 * 1024 * 1024;

    /// <summary>About how many bytes of memory documents may take that are kept for the events that come next, shared evenly by the projections. Default 64 MiB.</summary>
    public long CachedBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>How many batches may wait to be written. Default 32; the subscription pauses beyond it.</summary>
    public int MaxWaitingBatches { get; init; } = 32;

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        if (MaxEventsPerTransaction < 1)
            throw new InvalidInputException(nameof(MaxEventsPerTransaction), $"{nameof(MaxEventsPerTransaction)} is {MaxEventsPerTransaction}; it must be at least 1.");
        if (MaxBytesPerTransaction < 1)
            throw new InvalidInputException(nameof(MaxBytesPerTransaction), $"{nameof(MaxBytesPerTransaction)} is {MaxBytesPerTransaction}; it must be at least 1.");
        if (CachedBytes < 1)
            throw new InvalidInputException(nameof(CachedBytes), $"{nameof(CachedBytes)} is {CachedBytes}; it must be at least 1.");
        if (MaxWaitingBatches < 1)
            throw new InvalidInputException(nameof(MaxWaitingBatches), $"{nameof(MaxWaitingBatches)} is {MaxWaitingBatches}; it must be at least 1.");
    }
}
