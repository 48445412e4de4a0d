using System.Buffers.Binary;
using System.Runtime.InteropServices;
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

    /// <summary>
    /// Folds <paramref name="events"/> on top of what is stored, as far as they touch no more than so many documents; loads missing
    /// documents first. Of an event that is upcast to several it takes all, or none: a checkpoint cannot be between them.
    /// </summary>
    /// <returns>The changes, and how many of the events are in them.</returns>
    public abstract Task<(DocumentChanges Changes, int Taken)> Fold(
        ArraySegment<RecordedEvent> events, int maxDocuments, IProjectionStore store, CancellationToken cancellationToken);
}

internal sealed class ProjectionFold<TDocument>(ProjectionDefinition<TDocument> projection, long cachedBytes) : ProjectionFold
    where TDocument : class
{
    private readonly DocumentCache<TDocument> _cache = new(cachedBytes);
    private readonly Dictionary<string, int> _position = [];
    private readonly List<FoldedDocument> _documents = [];
    private readonly List<(int Document, ProjectionHandler<TDocument> Handler, RecordedEvent Recorded)> _work = [];
    private RecordedEvent? _folding; // whose handler runs; null while the store is asked

    public override ProjectionDefinition Projection => projection;

    public override void Forget() => _cache.Clear();

    public override async Task<(DocumentChanges Changes, int Taken)> Fold(
        ArraySegment<RecordedEvent> events, int maxDocuments, IProjectionStore store, CancellationToken cancellationToken)
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
                $"The projection {projection.Name} does not take the "
                    + $"event {_folding.Partition}@{_folding.Offset}, {_folding.Payload.GetType().Name} "
                    + $"of {_folding.AggregateId}: {failure.Message}", failure);
        }
    }

    private (DocumentChanges Changes, int Taken) Insert(ArraySegment<RecordedEvent> events, int maxDocuments)
    {
        var documents = new List<KeyValuePair<string, TDocument?>>(Math.Min(events.Count, maxDocuments));
        int taken = 0;
        int begun = -1; // the first of those that one event of the log is upcast to, of which one is taken
        for (; taken < events.Count; taken++)
        {
            RecordedEvent recorded = events[taken];
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;
            if (documents.Count >= maxDocuments && IsNext(recorded, ref taken, begun))
                break;
            begun = taken - recorded.Part;
            _folding = recorded;
            TDocument document = handler.Create!(recorded);
            documents.Add(new(projection.IdOf(document), document));
        }

        return (new DocumentChanges<TDocument>(projection, documents), taken);
    }

    private (DocumentChanges Changes, int Taken) Sum(ArraySegment<RecordedEvent> events, int maxDocuments)
    {
        var documents = new List<KeyValuePair<string, TDocument?>>();
        int taken = 0;
        int begun = -1;
        for (; taken < events.Count; taken++)
        {
            RecordedEvent recorded = events[taken];
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;

            _folding = recorded;
            TDocument delta = handler.Create!(recorded);
            string key = projection.IdOf(delta);
            if (documents.Count >= maxDocuments && !_position.ContainsKey(key) && IsNext(recorded, ref taken, begun))
                break;
            begun = taken - recorded.Part;
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

    private async Task<(DocumentChanges Changes, int Taken)> FoldOnStored(
        ArraySegment<RecordedEvent> events, int maxDocuments, IProjectionStore store, CancellationToken cancellationToken)
    {
        _cache.Trim();
        _work.Clear();
        _documents.Clear();
        List<string>? missing = null;
        int taken = 0;
        int begun = -1;
        for (; taken < events.Count; taken++)
        {
            RecordedEvent recorded = events[taken];
            if (!projection.TryGetHandler(recorded.Payload.GetType(), out ProjectionHandler<TDocument> handler))
                continue;

            _folding = recorded;
            string key = handler.Key(recorded);
            if (!_position.TryGetValue(key, out int at))
            {
                if (_documents.Count >= maxDocuments && IsNext(recorded, ref taken, begun))
                    break;
                at = _documents.Count;
                _position.Add(key, at);
                if (!_cache.TryGet(key, out StoredDocument<TDocument> stored))
                    (missing ??= []).Add(key);
                _documents.Add(new FoldedDocument { Key = key, Before = stored, Now = stored.Document });
            }

            begun = taken - recorded.Part;
            _work.Add((at, handler, recorded));
        }

        _folding = null;
        if (missing is not null)
            await LoadMissing(missing, store, cancellationToken).ConfigureAwait(false);

        Span<FoldedDocument> folded = CollectionsMarshal.AsSpan(_documents);
        foreach ((int at, ProjectionHandler<TDocument> handler, RecordedEvent recorded) in _work)
        {
            _folding = recorded;
            folded[at].Now = handler.Fold!(folded[at].Now, folded[at].Key, recorded);
            folded[at].Changes++;
        }

        _folding = null;
        long version = BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long)));
        return (Changes(version), taken);
    }

    // Where there are documents enough: whether the event is for the next transaction, with all that belongs to it. Of one that is begun
    // the rest is taken, however many documents it touches.
    private static bool IsNext(RecordedEvent recorded, ref int taken, int begun)
    {
        int first = taken - recorded.Part;
        if (first == begun)
            return false;
        taken = first;
        return true;
    }

    private async Task LoadMissing(List<string> keys, IProjectionStore store, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, StoredDocument<TDocument>> found =
            await store.LoadAsync(projection, keys, cancellationToken).ConfigureAwait(false);
        foreach (string key in keys)
        {
            StoredDocument<TDocument> stored = found.GetValueOrDefault(key);
            _cache.Set(key, stored, changes: 1);
            ref FoldedDocument document = ref CollectionsMarshal.AsSpan(_documents)[_position[key]];
            (document.Before, document.Now) = (stored, stored.Document);
        }
    }

    private DocumentChanges<TDocument> Changes(long version)
    {
        var documents = new List<KeyValuePair<string, TDocument?>>(_documents.Count);
        var before = new List<StoredDocument<TDocument>>(_documents.Count);
        foreach (ref readonly FoldedDocument document in CollectionsMarshal.AsSpan(_documents))
        {
            documents.Add(new(document.Key, document.Now));
            before.Add(document.Before);
            _cache.Set(document.Key, document.Now is null ? default : new StoredDocument<TDocument>(document.Now, version),
                document.Changes);
        }

        _work.Clear(); // holds on to no event
        _documents.Clear();
        return new DocumentChanges<TDocument>(projection, documents, before, version);
    }

    private record struct FoldedDocument
    {
        public string Key;
        public StoredDocument<TDocument> Before;
        public TDocument? Now;
        public int Changes;
    }
}
