namespace KafkaEventSourcing.Projections;

/// <summary>
/// The fold of one projection on this node: takes events, asks for the documents that it lacks, and gives the changes. It keeps
/// what it has written as a cache, so that the next batch reads only documents that it has not seen. Not thread-safe.
/// </summary>
internal abstract class ProjectionFold
{
    public abstract ProjectionDefinition Projection { get; }

    /// <summary>Drops all that is remembered: after a failed write, or when partitions moved.</summary>
    public abstract void Forget();

    /// <summary>Folds <paramref name="events"/> on top of what is stored; loads missing documents first.</summary>
    public abstract Task<DocumentChanges> Fold(IReadOnlyList<RecordedEvent> events, IProjectionStore store, CancellationToken cancellationToken);
}

internal sealed class ProjectionFold<TDocument>(ProjectionDefinition<TDocument> projection, long cachedBytes) : ProjectionFold
    where TDocument : class
{
    private readonly DocumentCache<TDocument> _cache = new(cachedBytes);
    private readonly Dictionary<string, int> _position = [];
    private RecordedEvent? _folding; // whose handler runs; null while the store is asked

    public override ProjectionDefinition Projection => projection;

    public override void Forget() => _cache.Clear();

    public override async Task<DocumentChanges> Fold(IReadOnlyList<RecordedEvent> events, IProjectionStore store, CancellationToken cancellationToken)
    {
        _position.Clear();
        _folding = null;
        try
        {
            return projection.Kind switch
            {
                ProjectionKind.Inserts => Insert(events),
                ProjectionKind.Sums => Sum(events),
                _ => await FoldOnStored(events, store, cancellationToken).ConfigureAwait(false),
            };
        }
        catch (Exception failure) when (_folding is not null)
        {
            throw new InvalidDataException(
                $"The projection {projection.Name} does not take the event {_folding.Partition}@{_folding.Offset}, {_folding.Payload.GetType().Name} of {_folding.AggregateId}: {failure.Message}", failure);
        }
    }

    private DocumentChanges<TDocument> Insert(IReadOnlyList<RecordedEvent> events)
    {
        var documents = new List<KeyValuePair<string, TDocument?>>(events.Count);
        foreach (RecordedEvent recorded in events)
        {
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;
            _folding = recorded;
            documents.Add(new(handler.Key(recorded), handler.Create!(recorded)));
        }

        return new DocumentChanges<TDocument>(projection, documents);
    }

    private DocumentChanges<TDocument> Sum(IReadOnlyList<RecordedEvent> events)
    {
        var documents = new List<KeyValuePair<string, TDocument?>>();
        foreach (RecordedEvent recorded in events)
        {
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;

            _folding = recorded;
            string key = handler.Key(recorded);
            TDocument delta = handler.Create!(recorded);
            if (_position.TryGetValue(key, out int at))
            {
                documents[at] = new(key, projection.Plus!(documents[at].Value!, delta));
            }
            else
            {
                _position.Add(key, documents.Count);
                documents.Add(new(key, delta));
            }
        }

        return new DocumentChanges<TDocument>(projection, documents);
    }

    private async Task<DocumentChanges> FoldOnStored(IReadOnlyList<RecordedEvent> events, IProjectionStore store, CancellationToken cancellationToken)
    {
        _cache.Trim();
        var work = new List<(string Key, ProjectionHandler<TDocument> Handler, RecordedEvent Recorded)>(events.Count);
        HashSet<string>? missing = null;
        foreach (RecordedEvent recorded in events)
        {
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;

            _folding = recorded;
            string key = handler.Key(recorded);
            work.Add((key, handler, recorded));
            if (!_cache.TryGet(key, out _))
                (missing ??= []).Add(key);
        }

        _folding = null;
        if (missing is not null)
        {
            IReadOnlyDictionary<string, TDocument> stored = await store.Load(projection, missing, cancellationToken).ConfigureAwait(false);
            foreach (string key in missing)
                _cache.Set(key, stored.GetValueOrDefault(key));
        }

        var documents = new List<KeyValuePair<string, TDocument?>>();
        var isNew = new List<bool>();
        foreach ((string key, ProjectionHandler<TDocument> handler, RecordedEvent recorded) in work)
        {
            _folding = recorded;
            _cache.TryGet(key, out TDocument? present);
            TDocument? next = handler.Fold!(present, recorded);
            _cache.Set(key, next);
            if (_position.TryGetValue(key, out int at))
            {
                documents[at] = new(key, next);
            }
            else
            {
                _position.Add(key, documents.Count);
                documents.Add(new(key, next));
                isNew.Add(present is null);
            }
        }

        return new DocumentChanges<TDocument>(projection, documents, isNew);
    }
}
