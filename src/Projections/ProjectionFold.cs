using System.Buffers.Binary;
using System.Security.Cryptography;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// The fold of one projection on this node: takes events, asks for the documents that it lacks, and gives the changes. It keeps
/// what it has written as a cache, so that the next batch reads only documents that it has not seen. Not thread-safe.
/// </summary>
internal abstract class ProjectionFold
{
    public abstract ProjectionDefinition Projection { get; }

    /// <summary>The build that is folded for; what is remembered of another one is dropped.</summary>
    public Guid Build
    {
        get;
        set
        {
            if (field != value)
                Forget();
            field = value;
        }
    }

    /// <summary>How large its documents are.</summary>
    public DocumentSizes Sizes { get; } = new();

    /// <summary>Drops all that is remembered: after a failed write, or when partitions moved.</summary>
    public abstract void Forget();

    /// <summary>Folds <paramref name="events"/> on top of what is stored, as far as they touch no more than so many documents; loads missing documents first.</summary>
    /// <returns>The changes, and how many of the events are in them.</returns>
    public abstract Task<(DocumentChanges Changes, int Taken)> Fold(ArraySegment<RecordedEvent> events, int maxDocuments, IProjectionStore store, CancellationToken cancellationToken);
}

internal sealed class ProjectionFold<TDocument>(ProjectionDefinition<TDocument> projection, long cachedBytes) : ProjectionFold
    where TDocument : class
{
    private readonly DocumentCache<TDocument> _cache = new(cachedBytes);
    private readonly Dictionary<string, int> _position = [];
    private RecordedEvent? _folding; // whose handler runs; null while the store is asked

    public override ProjectionDefinition Projection => projection;

    public override void Forget() => _cache.Clear();

    public override async Task<(DocumentChanges Changes, int Taken)> Fold(ArraySegment<RecordedEvent> events, int maxDocuments, IProjectionStore store, CancellationToken cancellationToken)
    {
        _position.Clear();
        _folding = null;
        try
        {
            return projection.Kind switch
            {
                ProjectionKind.Inserts => Insert(events, maxDocuments),
                ProjectionKind.Sums => Sum(events, maxDocuments),
                _ => await FoldOnStored(events, maxDocuments, store, cancellationToken).ConfigureAwait(false),
            };
        }
        catch (Exception failure) when (_folding is not null)
        {
            throw new InvalidDataException(
                $"The projection {projection.Name} does not take the event {_folding.Partition}@{_folding.Offset}, {_folding.Payload.GetType().Name} of {_folding.AggregateId}: {failure.Message}", failure);
        }
    }

    private (DocumentChanges Changes, int Taken) Insert(ArraySegment<RecordedEvent> events, int maxDocuments)
    {
        var documents = new List<KeyValuePair<string, TDocument?>>(Math.Min(events.Count, maxDocuments));
        int taken = 0;
        for (; taken < events.Count && documents.Count < maxDocuments; taken++)
        {
            RecordedEvent recorded = events[taken];
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;
            _folding = recorded;
            documents.Add(new(handler.Key(recorded), handler.Create!(recorded)));
        }

        return (new DocumentChanges<TDocument>(projection, documents), taken);
    }

    private (DocumentChanges Changes, int Taken) Sum(ArraySegment<RecordedEvent> events, int maxDocuments)
    {
        var documents = new List<KeyValuePair<string, TDocument?>>();
        int taken = 0;
        for (; taken < events.Count; taken++)
        {
            RecordedEvent recorded = events[taken];
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;

            _folding = recorded;
            string key = handler.Key(recorded);
            if (documents.Count >= maxDocuments && !_position.ContainsKey(key))
                break;
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

        return (new DocumentChanges<TDocument>(projection, documents), taken);
    }

    private async Task<(DocumentChanges Changes, int Taken)> FoldOnStored(ArraySegment<RecordedEvent> events, int maxDocuments, IProjectionStore store, CancellationToken cancellationToken)
    {
        _cache.Trim();
        var work = new List<(string Key, ProjectionHandler<TDocument> Handler, RecordedEvent Recorded)>(events.Count);
        var keys = new HashSet<string>();
        HashSet<string>? missing = null;
        int taken = 0;
        for (; taken < events.Count; taken++)
        {
            RecordedEvent recorded = events[taken];
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;

            _folding = recorded;
            string key = handler.Key(recorded);
            if (keys.Count >= maxDocuments && !keys.Contains(key))
                break;
            keys.Add(key);
            work.Add((key, handler, recorded));
            if (!_cache.TryGet(key, out _))
                (missing ??= []).Add(key);
        }

        _folding = null;
        if (missing is not null)
        {
            IReadOnlyDictionary<string, StoredDocument<TDocument>> stored = await store.Load(projection, missing, cancellationToken).ConfigureAwait(false);
            foreach (string key in missing)
                _cache.Set(key, stored.GetValueOrDefault(key));
        }

        var documents = new List<KeyValuePair<string, TDocument?>>();
        var before = new List<StoredDocument<TDocument>>();
        long version = BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long)));
        foreach ((string key, ProjectionHandler<TDocument> handler, RecordedEvent recorded) in work)
        {
            _folding = recorded;
            _cache.TryGet(key, out StoredDocument<TDocument> present);
            TDocument? next = handler.Fold!(present.Document, recorded);
            _cache.Set(key, next is null ? default : new StoredDocument<TDocument>(next, version));
            if (_position.TryGetValue(key, out int at))
            {
                documents[at] = new(key, next);
            }
            else
            {
                _position.Add(key, documents.Count);
                documents.Add(new(key, next));
                before.Add(present);
            }
        }

        return (new DocumentChanges<TDocument>(projection, documents, before, version), taken);
    }
}
