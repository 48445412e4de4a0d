namespace KafkaEventSourcing.Projections.Tests;

/// <summary>A store that keeps everything in memory and is as strict as the real one: all or nothing, and only from the checkpoint that the batch names.</summary>
internal sealed class InMemoryProjectionStore : IProjectionStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string, int), long> _checkpoints = [];
    private readonly Dictionary<string, Dictionary<string, object>> _documents = [];

    /// <summary>Called before a commit takes effect and after it did; may throw, as a lost connection would.</summary>
    public Action? BeforeCommit { get; set; }

    public Action? AfterCommit { get; set; }

    public int Commits { get; private set; }

    public int Loads { get; private set; }

    public IReadOnlyDictionary<string, object> Documents(string projection)
    {
        lock (_lock)
            return new Dictionary<string, object>(_documents.GetValueOrDefault(projection) ?? []);
    }

    public Task Prepare(IReadOnlyList<ProjectionDefinition> projections, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<long?> LoadCheckpoint(string projection, int partition, CancellationToken cancellationToken)
    {
        lock (_lock)
            return Task.FromResult(_checkpoints.TryGetValue((projection, partition), out long next) ? next : (long?)null);
    }

    public Task<IReadOnlyDictionary<string, TDocument>> Load<TDocument>(
        ProjectionDefinition<TDocument> projection, IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
        where TDocument : class
    {
        lock (_lock)
        {
            Loads++;
            Dictionary<string, object> all = _documents.GetValueOrDefault(projection.Name) ?? [];
            return Task.FromResult<IReadOnlyDictionary<string, TDocument>>(keys.Where(all.ContainsKey).ToDictionary(k => k, k => (TDocument)all[k]));
        }
    }

    public Task Commit(IReadOnlyList<DocumentChanges> changes, IReadOnlyList<CheckpointMove> checkpoints, CancellationToken cancellationToken)
    {
        BeforeCommit?.Invoke();
        lock (_lock)
        {
            foreach (CheckpointMove move in checkpoints)
            {
                if ((_checkpoints.TryGetValue((move.Projection, move.Partition), out long next) ? next : (long?)null) != move.From)
                    throw new CheckpointMovedException(move);
            }

            foreach (DocumentChanges change in changes)
                change.Projection.Accept(new Write(this, change));
            foreach (CheckpointMove move in checkpoints)
                _checkpoints[(move.Projection, move.Partition)] = move.To;
            Commits++;
        }

        AfterCommit?.Invoke();
        return Task.CompletedTask;
    }

    private readonly struct Write(InMemoryProjectionStore store, DocumentChanges changes) : IProjectionVisitor<bool>
    {
        public bool Visit<TDocument>(ProjectionDefinition<TDocument> projection)
            where TDocument : class
        {
            if (!store._documents.TryGetValue(projection.Name, out Dictionary<string, object>? documents))
                store._documents.Add(projection.Name, documents = []);
            foreach ((string key, TDocument? document) in ((DocumentChanges<TDocument>)changes).Documents)
            {
                if (projection.Kind == ProjectionKind.Inserts)
                    documents.Add(key, document!);
                else if (document is null)
                    documents.Remove(key);
                else if (projection.Kind == ProjectionKind.Sums && documents.TryGetValue(key, out object? present))
                    documents[key] = projection.Plus!((TDocument)present, document);
                else
                    documents[key] = document;
            }

            return true;
        }
    }
}
