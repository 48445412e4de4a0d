namespace KafkaEventSourcing.Projections;

/// <summary>Where read models and their checkpoints are kept.</summary>
public interface IProjectionStore
{
    /// <summary>Makes ready what the projections need: collections and indexes. Safe to repeat.</summary>
    Task Prepare(IReadOnlyList<ProjectionDefinition> projections, CancellationToken cancellationToken);

    /// <summary>The next offset to read of <paramref name="partition"/> for the projection named; null when it has read nothing yet.</summary>
    Task<long?> LoadCheckpoint(string projection, int partition, CancellationToken cancellationToken);

    /// <summary>The stored documents among <paramref name="keys"/>.</summary>
    Task<IReadOnlyDictionary<string, TDocument>> Load<TDocument>(
        ProjectionDefinition<TDocument> projection, IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
        where TDocument : class;

    /// <summary>
    /// Writes all changes and moves all checkpoints, or does neither. Called for several projections at the same time, for one projection never.
    /// </summary>
    /// <exception cref="CheckpointMovedException">A checkpoint is not where the batch believes: another node has taken over, or this very
    /// batch was committed although its answer was lost. Nothing was written.</exception>
    Task Commit(IReadOnlyList<DocumentChanges> changes, IReadOnlyList<CheckpointMove> checkpoints, CancellationToken cancellationToken);
}

/// <summary>A checkpoint's way from one position to the next.</summary>
/// <param name="Projection">The projection's name.</param>
/// <param name="Partition">The event partition.</param>
/// <param name="From">The position before; null when there is none yet.</param>
/// <param name="To">The next offset to read afterwards.</param>
public readonly record struct CheckpointMove(string Projection, int Partition, long? From, long To);

/// <summary>A checkpoint is not where a batch believed it to be; nothing was written. Load it again and go on from there.</summary>
public sealed class CheckpointMovedException : Exception
{
    /// <summary>Creates the error for <paramref name="move"/>.</summary>
    public CheckpointMovedException(CheckpointMove move)
        : base($"The checkpoint of '{move.Projection}', partition {move.Partition}, is not at {move.From?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "its start"}: another writer moved it.") =>
        Move = move;

    /// <summary>The move that could not be made.</summary>
    public CheckpointMove Move { get; }
}
