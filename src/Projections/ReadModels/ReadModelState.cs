namespace KafkaEventSourcing.Projections;

/// <summary>What is stored of a read model as a whole.</summary>
public sealed record ReadModelState
{
    /// <summary>
    /// The build: documents and checkpoints that belong together. A read model that is folded from the start again gets a new one.
    /// </summary>
    public required Guid Build { get; init; }

    /// <summary>Whether the build before is still being deleted; nothing can be written yet.</summary>
    public required bool IsBeingCleared { get; init; }

    /// <summary>
    /// Whether the documents are in the very collection that this build was begun in. False: it was dropped, replaced or restored.
    /// </summary>
    public required bool HasDocuments { get; init; }

    /// <summary>The partitions that have a checkpoint, or should.</summary>
    public required IReadOnlySet<EventPartition> Partitions { get; init; }

    /// <summary>How far the build must come, by partition, before the read model is whole; empty: it is.</summary>
    public required IReadOnlyDictionary<EventPartition, long> Until { get; init; }

    /// <summary>The aggregate types whose events the build is folded from, when they are several; empty: one.</summary>
    public IReadOnlySet<string> Aggregates { get; init; } = new HashSet<string>();
}

/// <summary>How far a read model is in one partition, as stored.</summary>
/// <param name="Build">The build that it belongs to.</param>
/// <param name="NextOffset">The next offset to read.</param>
/// <param name="TopicId">The id of the events topic that it is about; null when it is not known.</param>
/// <param name="IsGenuine">Whether the store wrote it as it is; false: somebody has changed it by hand.</param>
public readonly record struct ReadModelCheckpoint(Guid Build, long NextOffset, string? TopicId, bool IsGenuine);
