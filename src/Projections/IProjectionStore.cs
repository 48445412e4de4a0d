namespace KafkaEventSourcing.Projections;

/// <summary>Where read models and their checkpoints are kept.</summary>
public interface IProjectionStore
{
    /// <summary>Makes ready what all projections need. Safe to repeat.</summary>
    Task PrepareAsync(IReadOnlyList<ProjectionDefinition> projections, CancellationToken cancellationToken = default);

    /// <summary>What is stored of the read model as a whole; null when nothing is, or nothing that can be read.</summary>
    Task<ReadModelState?> LoadStateAsync(ProjectionDefinition projection, CancellationToken cancellationToken = default);

    /// <summary>How far the read model is in <paramref name="partition"/>; null when nothing is stored.</summary>
    Task<ReadModelCheckpoint?> LoadCheckpointAsync(
        ProjectionDefinition projection, EventPartition partition, CancellationToken cancellationToken = default);

    /// <summary>The stored documents among <paramref name="keys"/>, with their versions.</summary>
    Task<IReadOnlyDictionary<string, StoredDocument<TDocument>>> LoadAsync<TDocument>(
        ProjectionDefinition<TDocument> projection, IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default)
        where TDocument : class;

    /// <summary>
    /// Writes all changes and moves all checkpoints, or does neither. A document that was folded on is replaced or deleted only if it still
    /// has the version that it was folded on; one that was folded on nothing is written only if there still is none. Several engines may
    /// call it at the same time, also for one projection.
    /// </summary>
    /// <returns>How many bytes the documents took: by it the next batches are bounded.</returns>
    /// <exception cref="CheckpointMovedException">A checkpoint is not where the batch believes, or is of another build: another node has
    /// taken over, somebody has deleted or changed it, or this very batch was committed although its answer was lost. Nothing was
    /// written.</exception>
    /// <exception cref="DocumentsChangedException">Another engine wrote a document since it was folded on. Nothing was written.</exception>
    Task<long> CommitAsync(IReadOnlyList<DocumentChanges> changes, IReadOnlyList<CheckpointMove> checkpoints,
        CancellationToken cancellationToken = default);

    /// <summary>
    /// Deletes the documents and checkpoints of the read model and begins a new build, unless it is not as <paramref name="seen"/> any
    /// more. Whoever writes for the build before is refused from then on.
    /// </summary>
    /// <param name="projection">The read model.</param>
    /// <param name="seen">What was seen of it.</param>
    /// <param name="until">How far the build must come, by partition, before the read model is whole.</param>
    /// <param name="aggregates">The aggregate types whose events it is folded from, when they are several; else empty.</param>
    /// <param name="cancellationToken">Ends the attempt.</param>
    /// <returns>False: something has changed meanwhile, and nothing was done.</returns>
    Task<bool> StartAnewAsync(
        ProjectionDefinition projection, SeenReadModel seen, IReadOnlyDictionary<EventPartition, long> until,
        IReadOnlyCollection<string> aggregates, CancellationToken cancellationToken = default);

    /// <summary>Notes that <paramref name="build"/> has come as far as it had to before it is whole.</summary>
    Task CompleteAsync(ProjectionDefinition projection, Guid build, CancellationToken cancellationToken = default);
}

/// <summary>What of a read model somebody has seen who wants it built anew.</summary>
/// <param name="Build">The build; null when no state was stored.</param>
/// <param name="Partition">The partition whose checkpoint is wrong; null when it is not about one.</param>
/// <param name="NextOffset">That checkpoint's position as it was seen; null when it had none.</param>
public readonly record struct SeenReadModel(Guid? Build, EventPartition? Partition = null, long? NextOffset = null);

/// <summary>A checkpoint's way from one position to the next.</summary>
/// <param name="Projection">The projection's name.</param>
/// <param name="Partition">The event partition.</param>
/// <param name="Build">The build that the batch was folded for.</param>
/// <param name="From">The position before; null when there is none yet.</param>
/// <param name="To">The next offset to read afterwards.</param>
/// <param name="TopicId">The id of the events topic; null when it is not known.</param>
public readonly record struct CheckpointMove(string Projection, EventPartition Partition, Guid Build, long? From, long To, string? TopicId);

/// <summary>
/// A checkpoint is not where a batch believed it to be; nothing was written. Look at the read model again and go on from there.
/// </summary>
public sealed class CheckpointMovedException : Exception
{
    /// <summary>Creates the error for <paramref name="move"/>.</summary>
    public CheckpointMovedException(CheckpointMove move)
        : base($"The checkpoint of '{move.Projection}', partition {move.Partition.Words}, is not "
            + $"at {move.From?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "its start"} of build {move.Build}.") =>
        Move = move;

    /// <summary>The move that could not be made.</summary>
    public CheckpointMove Move { get; }
}
