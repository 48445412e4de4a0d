namespace KafkaEventSourcing.Projections;

/// <summary>How the projection engine batches.</summary>
public sealed record ProjectionEngineOptions
{
    /// <summary>
    /// The most events written in one transaction, over all partitions. Default 8,000, above which memory grows and throughput does not.
    /// </summary>
    public int MaxEventsPerTransaction { get; init; } = 8_000;

    /// <summary>
    /// The most bytes of events written in one transaction, over all partitions, but for a single batch that has more. Default 8 MiB.
    /// </summary>
    public long MaxBytesPerTransaction { get; init; } = 8 * 1024 * 1024;

    /// <summary>
    /// About how many bytes of memory documents may take that are kept for the events that come next, shared evenly by the projections.
    /// Default 64 MiB.
    /// </summary>
    public long CachedBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>About how many bytes of documents are written in one transaction; one document at least. Default 16 MiB.</summary>
    public long MaxDocumentBytesPerTransaction { get; init; } = 16 * 1024 * 1024;

    /// <summary>How many batches may wait to be written. Default 32; the subscription pauses beyond it.</summary>
    public int MaxWaitingBatches { get; init; } = 32;

    /// <summary>
    /// How often a node compares the read models and the events topic with what it left. Default 5 s; a batch that finds its checkpoint
    /// changed looks at once.
    /// </summary>
    public TimeSpan CheckInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long another node may take to delete a read model before it is taken for gone. Default 30 s.</summary>
    public TimeSpan ClearPatience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Checks the values.</summary>
    /// <exception cref="InvalidInputException">One is out of range; the message names it.</exception>
    public void Validate()
    {
        if (MaxEventsPerTransaction < 1)
            throw new InvalidInputException(nameof(MaxEventsPerTransaction),
                $"{nameof(MaxEventsPerTransaction)} is {MaxEventsPerTransaction}; it must be at least 1.");
        if (MaxBytesPerTransaction < 1)
            throw new InvalidInputException(nameof(MaxBytesPerTransaction),
                $"{nameof(MaxBytesPerTransaction)} is {MaxBytesPerTransaction}; it must be at least 1.");
        if (MaxDocumentBytesPerTransaction < 1)
            throw new InvalidInputException(nameof(MaxDocumentBytesPerTransaction),
                $"{nameof(MaxDocumentBytesPerTransaction)} is {MaxDocumentBytesPerTransaction}; it must be at least 1.");
        if (CachedBytes < 1)
            throw new InvalidInputException(nameof(CachedBytes), $"{nameof(CachedBytes)} is {CachedBytes}; it must be at least 1.");
        if (MaxWaitingBatches < 1)
            throw new InvalidInputException(nameof(MaxWaitingBatches),
                $"{nameof(MaxWaitingBatches)} is {MaxWaitingBatches}; it must be at least 1.");
        if (CheckInterval <= TimeSpan.Zero)
            throw new InvalidInputException(nameof(CheckInterval), $"{nameof(CheckInterval)} is {CheckInterval}; it must be positive.");
        if (ClearPatience <= TimeSpan.Zero)
            throw new InvalidInputException(nameof(ClearPatience), $"{nameof(ClearPatience)} is {ClearPatience}; it must be positive.");
    }
}
