namespace KafkaEventSourcing.Projections.Tests;

/// <summary>
/// A store that keeps everything in memory and is as strict as the real one: all or nothing, and only from the checkpoint that the batch
/// names.
/// </summary>
internal sealed class InMemoryProjectionStore : IProjectionStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Projection, EventPartition Partition), ReadModelCheckpoint> _checkpoints = [];
    private readonly Dictionary<string, (Guid Build, Guid Collection, Dictionary<EventPartition, long> Until)> _states = [];
    private readonly Dictionary<string, Guid> _collections = [];
    private readonly Dictionary<string, HashSet<string>> _aggregates = [];
    private readonly HashSet<(string Projection, EventPartition Partition)> _partitions = [];
    private readonly Dictionary<string, Dictionary<string, object>> _documents = [];
    private readonly Dictionary<(string Projection, string Key), long> _versions = [];

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

    public Task PrepareAsync(IReadOnlyList<ProjectionDefinition> projections, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task<ReadModelState?> LoadStateAsync(ProjectionDefinition projection, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return Task.FromResult(!_states.TryGetValue(projection.Name,
                out (Guid Build, Guid Collection, Dictionary<EventPartition, long> Until) state) ? null : new ReadModelState
            {
                Build = state.Build,
                IsBeingCleared = false,
                HasDocuments = _collections.GetValueOrDefault(projection.Name) == state.Collection,
                Partitions = _partitions.Where(p => p.Projection == projection.Name).Select(p => p.Partition).ToHashSet(),
                Until = new Dictionary<EventPartition, long>(state.Until),
                Aggregates = _aggregates.GetValueOrDefault(projection.Name) ?? [],
            });
        }
    }

    public Task<ReadModelCheckpoint?> LoadCheckpointAsync(
        ProjectionDefinition projection, EventPartition partition, CancellationToken cancellationToken)
    {
        lock (_lock)
            return Task.FromResult(_checkpoints.TryGetValue((projection.Name, partition), out ReadModelCheckpoint stored)
                ? stored
                : (ReadModelCheckpoint?)null);
    }

    public Task<bool> StartAnewAsync(ProjectionDefinition projection, SeenReadModel seen, IReadOnlyDictionary<EventPartition, long> until,
        IReadOnlyCollection<string> aggregates, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            string name = projection.Name;
            if ((_states.TryGetValue(name, out var state) ? state.Build : (Guid?)null) != seen.Build)
                return Task.FromResult(false);
            if (seen.Partition is { } partition
                && (_checkpoints.TryGetValue((name, partition), out ReadModelCheckpoint stored) ? stored.NextOffset : (long?)null)
                    != seen.NextOffset)
                return Task.FromResult(false);
            foreach ((string, EventPartition) key in _checkpoints.Keys.Where(k => k.Projection == name).ToArray())
                _checkpoints.Remove(key);
            _partitions.RemoveWhere(p => p.Projection == name);
            _documents.Remove(name);
            _collections[name] = Guid.CreateVersion7();
            _aggregates[name] = [.. aggregates];
            _states[name] = (Guid.CreateVersion7(), _collections[name], new Dictionary<EventPartition, long>(until));
            return Task.FromResult(true);
        }
    }

    public Task CompleteAsync(ProjectionDefinition projection, Guid build, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (_states.TryGetValue(projection.Name, out var state) && state.Build == build)
                state.Until.Clear();
        }

        return Task.CompletedTask;
    }

    /// <summary>Somebody drops the collection; the next document makes it again.</summary>
    public void DropDocuments(string projection)
    {
        lock (_lock)
        {
            _documents.Remove(projection);
            _collections[projection] = Guid.CreateVersion7();
        }
    }

    /// <summary>Somebody deletes or changes a checkpoint.</summary>
    public void Change(string projection, EventPartition partition, Func<ReadModelCheckpoint, ReadModelCheckpoint?> change)
    {
        lock (_lock)
        {
            if (change(_checkpoints[(projection, partition)]) is { } changed)
                _checkpoints[(projection, partition)] = changed;
            else
                _checkpoints.Remove((projection, partition));
        }
    }

    /// <summary>Somebody deletes all that is kept beside the documents.</summary>
    public void DropCheckpoints()
    {
        lock (_lock)
        {
            _checkpoints.Clear();
            _partitions.Clear();
            _states.Clear();
        }
    }

    public Task<IReadOnlyDictionary<string, StoredDocument<TDocument>>> LoadAsync<TDocument>(
        ProjectionDefinition<TDocument> projection, IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
        where TDocument : class
    {
        lock (_lock)
        {
            Loads++;
            Dictionary<string, object> all = _documents.GetValueOrDefault(projection.Name) ?? [];
            return Task.FromResult<IReadOnlyDictionary<string, StoredDocument<TDocument>>>(
                keys.Where(all.ContainsKey).ToDictionary(k => k, k =>
                    new StoredDocument<TDocument>((TDocument)all[k],
                        _versions.TryGetValue((projection.Name, k), out long version) ? version : null)));
        }
    }

    /// <summary>The length of a document.</summary>
    public Func<object, long> SizeOf { get; set; } = _ => 100;

    /// <summary>The bytes of each commit.</summary>
    public List<long> Sizes { get; } = [];

    public Task<long> CommitAsync(IReadOnlyList<DocumentChanges> changes, IReadOnlyList<CheckpointMove> checkpoints,
        CancellationToken cancellationToken)
    {
        BeforeCommit?.Invoke();
        long bytes = changes.Sum(c => c.Projection.Accept(new Sum(SizeOf, c)));
        lock (_lock)
        {
            Sizes.Add(bytes);
            foreach (CheckpointMove move in checkpoints)
            {
                bool isStored = _checkpoints.TryGetValue((move.Projection, move.Partition), out ReadModelCheckpoint stored);
                if ((isStored ? stored.NextOffset : (long?)null) != move.From
                    || (isStored ? stored.Build : _states.GetValueOrDefault(move.Projection).Build) != move.Build)
                    throw new CheckpointMovedException(move);
            }

            if (changes.FirstOrDefault(c => !c.Projection.Accept(new Unchanged(this, c))) is { } changed)
                throw new DocumentsChangedException(changed.Projection.Name);
            foreach (DocumentChanges change in changes)
                change.Projection.Accept(new Write(this, change));
            foreach (CheckpointMove move in checkpoints)
            {
                _checkpoints[(move.Projection, move.Partition)] = new ReadModelCheckpoint(move.Build, move.To, move.TopicId,
                    IsGenuine: true);
                _partitions.Add((move.Projection, move.Partition));
            }

            Commits++;
        }

        AfterCommit?.Invoke();
        return Task.FromResult(bytes);
    }

    private readonly struct Sum(Func<object, long> sizeOf, DocumentChanges changes) : IProjectionVisitor<long>
    {
        public long Visit<TDocument>(ProjectionDefinition<TDocument> projection)
            where TDocument : class
        {
            Func<object, long> size = sizeOf;
            return ((DocumentChanges<TDocument>)changes).Documents.Sum(d => d.Value is null ? 0 : size(d.Value));
        }
    }

    private readonly struct Unchanged(InMemoryProjectionStore store, DocumentChanges changes) : IProjectionVisitor<bool>
    {
        public bool Visit<TDocument>(ProjectionDefinition<TDocument> projection)
            where TDocument : class
        {
            var typed = (DocumentChanges<TDocument>)changes;
            Dictionary<string, object> documents = store._documents.GetValueOrDefault(projection.Name) ?? [];
            for (int i = 0; i < typed.Count && projection.Kind == ProjectionKind.Folds; i++)
            {
                string key = typed.Documents[i].Key;
                bool isStored = documents.ContainsKey(key);
                if (typed.IsNew(i) && typed.Documents[i].Value is null)
                    continue;
                if (isStored == typed.IsNew(i))
                    return false;
                if (isStored && (store._versions.TryGetValue((projection.Name, key), out long version) ? version : (long?)null)
                    != typed.VersionBefore(i))
                    return false;
            }

            return true;
        }
    }

    private readonly struct Write(InMemoryProjectionStore store, DocumentChanges changes) : IProjectionVisitor<bool>
    {
        public bool Visit<TDocument>(ProjectionDefinition<TDocument> projection)
            where TDocument : class
        {
            if (!store._documents.TryGetValue(projection.Name, out Dictionary<string, object>? documents))
                store._documents.Add(projection.Name, documents = []);
            var typed = (DocumentChanges<TDocument>)changes;
            for (int i = 0; i < typed.Count; i++)
            {
                (string key, TDocument? document) = typed.Documents[i];
                if (document is null && typed.IsNew(i))
                    continue;
                if (projection.Kind == ProjectionKind.Inserts)
                    documents.Add(key, document!);
                else if (document is null)
                    documents.Remove(key);
                else if (projection.Kind == ProjectionKind.Sums && documents.TryGetValue(key, out object? present))
                    documents[key] = projection.Add((TDocument)present, document);
                else
                    documents[key] = document;
                if (projection.Kind == ProjectionKind.Folds)
                    store._versions[(projection.Name, key)] = changes.Version;
            }

            return true;
        }
    }
}
