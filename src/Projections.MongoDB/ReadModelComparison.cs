using System.Collections.Concurrent;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// Folds events again, apart from what is stored, and compares the outcome with the stored read models, document by document. It is a
/// <see cref="IProjectionStore"/> for a <see cref="ProjectionEngine"/> of its own: documents that never change are compared as they come,
/// the others when <see cref="FinishAsync"/> is called. The read models must stand still meanwhile. Several projections can be committed at
/// a time, as an engine does, each in one batch after the other.
/// </summary>
public sealed class ReadModelComparison : IProjectionStore
{
    private const int MaxReported = 20;
    private static readonly Guid Build = new("0198a000-0000-7000-8000-000000000001"); // of a fold that nobody else has

    private readonly MongoProjectionStore? _stored;
    private readonly IReadOnlyDictionary<string, IReadOnlyList<string>> _aggregates;
    private readonly ConcurrentDictionary<(string Projection, EventPartition Partition), long> _checkpoints = [];
    private readonly ConcurrentDictionary<string, FoldedDocuments> _folded = [];
    private readonly ConcurrentDictionary<string, long> _counts = [];
    private readonly Lock _differencesLock = new();
    private readonly List<string> _differences = [];
    private long _compared;

    /// <summary>Compares with what <paramref name="stored"/> holds.</summary>
    /// <param name="stored">The read models; null where none is compared.</param>
    /// <param name="aggregates">Of each read model that is folded from several aggregate types, by its name, these types. An engine each
    /// folds them, one after the other.</param>
    public ReadModelComparison(MongoProjectionStore? stored, IReadOnlyDictionary<string, IReadOnlyList<string>>? aggregates = null) =>
        (_stored, _aggregates) = (stored, aggregates ?? new Dictionary<string, IReadOnlyList<string>>());

    /// <summary>How many documents were found to differ.</summary>
    public long DifferenceCount { get; private set; }

    /// <summary>The first differences, in words.</summary>
    public IReadOnlyList<string> Differences => _differences;

    /// <summary>How many documents were compared.</summary>
    public long Compared => Interlocked.Read(ref _compared);

    /// <inheritdoc/>
    public Task PrepareAsync(IReadOnlyList<ProjectionDefinition> projections, CancellationToken cancellationToken = default) =>
        Task.CompletedTask;

    /// <inheritdoc/>
    public Task<ReadModelState?> LoadStateAsync(ProjectionDefinition projection, CancellationToken cancellationToken = default) =>
        Task.FromResult<ReadModelState?>(new ReadModelState
        {
            Build = Build,
            IsBeingCleared = false,
            HasDocuments = true,
            Partitions = _checkpoints.Keys.Where(k => k.Projection == projection.Name).Select(k => k.Partition).ToHashSet(),
            Until = new Dictionary<EventPartition, long>(),
            Aggregates = _aggregates.TryGetValue(projection.Name, out IReadOnlyList<string>? several) ? several.ToHashSet() : [],
        });

    /// <inheritdoc/>
    public Task<ReadModelCheckpoint?> LoadCheckpointAsync(
        ProjectionDefinition projection, EventPartition partition, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(projection);
        return Task.FromResult(_checkpoints.TryGetValue((projection.Name, partition), out long next)
            ? new ReadModelCheckpoint(Build, next, null, IsGenuine: true)
            : (ReadModelCheckpoint?)null);
    }

    /// <inheritdoc/>
    public Task<bool> StartAnewAsync(
        ProjectionDefinition projection, SeenReadModel seen, IReadOnlyDictionary<EventPartition, long> until,
        IReadOnlyCollection<string> aggregates, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("What is compared is folded once.");

    /// <inheritdoc/>
    public Task CompleteAsync(ProjectionDefinition projection, Guid build, CancellationToken cancellationToken = default) =>
        Task.CompletedTask;

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, StoredDocument<TDocument>>> LoadAsync<TDocument>(
        ProjectionDefinition<TDocument> projection, IReadOnlyCollection<string> keys, CancellationToken cancellationToken = default)
        where TDocument : class
    {
        ArgumentNullException.ThrowIfNull(projection);
        var found = new Dictionary<string, StoredDocument<TDocument>>();
        if (_folded.TryGetValue(projection.Name, out FoldedDocuments? folded))
        {
            foreach (string key in keys)
            {
                if (((FoldedDocuments<TDocument>)folded).Documents.TryGetValue(key, out TDocument? document))
                    found.Add(key, new StoredDocument<TDocument>(document, Version: null));
            }
        }

        return Task.FromResult<IReadOnlyDictionary<string, StoredDocument<TDocument>>>(found);
    }

    /// <inheritdoc/>
    public async Task<long> CommitAsync(IReadOnlyList<DocumentChanges> changes, IReadOnlyList<CheckpointMove> checkpoints,
        CancellationToken cancellationToken = default)
    {
        foreach (DocumentChanges change in changes)
            await change.Projection.Accept(new Take(this, change, cancellationToken)).ConfigureAwait(false);
        foreach (CheckpointMove move in checkpoints)
            _checkpoints[(move.Projection, move.Partition)] = move.To;
        return 0; // they are compared, not kept
    }

    /// <summary>Compares what has been folded, and the number of documents of each of <paramref name="projections"/>.</summary>
    public async Task FinishAsync(IReadOnlyList<ProjectionDefinition> projections, CancellationToken cancellationToken = default)
    {
        foreach (FoldedDocuments folded in _folded.Values)
            await folded.Compare(this, cancellationToken).ConfigureAwait(false);
        foreach (ProjectionDefinition projection in projections)
        {
            long stored = await _stored!.Database.GetCollection<BsonDocument>(projection.Name).CountDocumentsAsync(new BsonDocument(),
                cancellationToken: cancellationToken).ConfigureAwait(false);
            long expected = _counts.GetValueOrDefault(projection.Name);
            if (stored != expected)
                Differ($"{projection.Name}: {stored} documents are stored, {expected} follow from the events.");
        }
    }

    private async Task CompareDocuments<TDocument>(
        ProjectionDefinition<TDocument> projection, IReadOnlyCollection<KeyValuePair<string, TDocument>> expected,
        CancellationToken cancellationToken)
        where TDocument : class
    {
        _counts.AddOrUpdate(projection.Name, expected.Count, (_, before) => before + expected.Count);
        foreach (KeyValuePair<string, TDocument>[] chunk in expected.Chunk(2_000))
        {
            IReadOnlyDictionary<string, StoredDocument<TDocument>> stored = await _stored!.LoadAsync(projection,
                [.. chunk.Select(d => d.Key)], cancellationToken).ConfigureAwait(false);
            foreach ((string key, TDocument document) in chunk)
            {
                Interlocked.Increment(ref _compared);
                if (!stored.TryGetValue(key, out StoredDocument<TDocument> present))
                {
                    Differ($"{projection.Name}/{key} is missing.");
                    continue;
                }

                BsonDocument left = document.ToBsonDocument();
                BsonDocument right = present.Document!.ToBsonDocument();
                if (left != right)
                    Differ($"{projection.Name}/{key} differs: {DifferentFields(left, right)}.");
            }
        }
    }

    private static string DifferentFields(BsonDocument expected, BsonDocument stored) =>
        string.Join(", ", expected.Names.Union(stored.Names)
            .Where(name => expected.GetValue(name, BsonUndefined.Value) != stored.GetValue(name, BsonUndefined.Value))
            .Select(name => $"{name} is {stored.GetValue(name, "missing")} instead of {expected.GetValue(name, "missing")}"));

    private void Differ(string difference)
    {
        lock (_differencesLock)
        {
            DifferenceCount++;
            if (_differences.Count < MaxReported)
                _differences.Add(difference);
        }
    }

    private readonly struct Take(ReadModelComparison comparison, DocumentChanges changes, CancellationToken cancellationToken)
        : IProjectionVisitor<Task>
    {
        public Task Visit<TDocument>(ProjectionDefinition<TDocument> projection)
            where TDocument : class
        {
            var typed = (DocumentChanges<TDocument>)changes;
            if (projection.Kind == ProjectionKind.Inserts)
                return comparison.CompareDocuments(projection, [.. typed.Documents.Select(d => KeyValuePair.Create(d.Key, d.Value!))],
                    cancellationToken);

            ((FoldedDocuments<TDocument>)comparison._folded.GetOrAdd(projection.Name, _ =>
                new FoldedDocuments<TDocument>(projection))).Take(typed);
            return Task.CompletedTask;
        }
    }

    private abstract class FoldedDocuments
    {
        public abstract Task Compare(ReadModelComparison comparison, CancellationToken cancellationToken);
    }

    private sealed class FoldedDocuments<TDocument>(ProjectionDefinition<TDocument> projection) : FoldedDocuments
        where TDocument : class
    {
        public Dictionary<string, TDocument> Documents { get; } = [];

        public void Take(DocumentChanges<TDocument> changes)
        {
            foreach ((string key, TDocument? document) in changes.Documents)
            {
                if (document is null)
                    Documents.Remove(key);
                else if (projection.Kind == ProjectionKind.Sums && Documents.TryGetValue(key, out TDocument? present))
                    Documents[key] = projection.Add(present, document);
                else
                    Documents[key] = document;
            }
        }

        public override Task Compare(ReadModelComparison comparison, CancellationToken cancellationToken) =>
            comparison.CompareDocuments(projection, Documents, cancellationToken);
    }
}
