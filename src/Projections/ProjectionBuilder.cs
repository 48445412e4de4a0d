using System.Linq.Expressions;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// Collects what a read model does per event type. One read model inserts, folds or sums; mixing them is refused. Not
/// thread-safe; used once at start-up.
/// </summary>
public sealed class ProjectionBuilder<TDocument>
    where TDocument : class
{
    private const int MaxNameLength = 64;

    private readonly string _name;
    private readonly Func<TDocument, string> _idOf;
    private readonly Dictionary<Type, ProjectionHandler<TDocument>> _handlers = [];
    private readonly Dictionary<Type, Func<RecordedEvent, string>> _keys = []; // of the events that name one of their own
    private readonly List<ReadModelIndex> _indexes = [];
    private ProjectionKind? _kind;
    private Func<RecordedEvent, string>? _key;
    private Func<string, TDocument>? _initially;
    private Func<TDocument, TDocument, TDocument>? _plus;

    internal ProjectionBuilder(string name)
    {
        if (name.Length is 0 or > MaxNameLength
            || !char.IsAsciiLetter(name[0])
            || name.Any(c => !(char.IsAsciiLetterOrDigit(c) || c is '-' or '_')))
        {
            throw new InvalidInputException("projection",
                $"The projection name '{name}' must start with a letter and have at most {MaxNameLength} letters, digits, hyphens and "
                    + $"underscores: it is a collection name.");
        }

        _name = name;
        _idOf = DocumentId<TDocument>.Getter
            ?? throw new InvalidOperationException(
                $"The document type {typeof(TDocument).Name} of the projection '{name}' needs a property 'Id' of type string: it is the "
                    + $"key of its documents.");
    }

    /// <summary>
    /// The key of the document that an event folds into, for all event types that do not name one of their own. Default: the aggregate's
    /// id. A read model that inserts or sums has no use for it: there the key is the <c>Id</c> of what its functions return.
    /// </summary>
    /// <exception cref="InvalidOperationException">It was called before.</exception>
    public ProjectionBuilder<TDocument> Key(Func<RecordedEvent, string> key)
    {
        ArgumentNullException.ThrowIfNull(key);
        if (_key is not null)
            throw new InvalidOperationException($"The projection '{_name}' has its key already.");
        _key = key;
        return this;
    }

    /// <summary>
    /// The key of the document that a <typeparamref name="TEvent"/> folds into. Events of several aggregates, partitions and aggregate
    /// types may name one key: those of one partition come in the order of the log, those of two in any order.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type has its key already.</exception>
    public ProjectionBuilder<TDocument> Key<TEvent>(Func<TEvent, RecordedEvent, string> key)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(key);
        if (!_keys.TryAdd(typeof(TEvent), r => key((TEvent)r.Payload, r)))
            throw new InvalidOperationException($"The projection '{_name}' has its key for {typeof(TEvent).Name} already.");
        return this;
    }

    /// <inheritdoc cref="Key{TEvent}(Func{TEvent, RecordedEvent, string})"/>
    public ProjectionBuilder<TDocument> Key<TEvent>(Func<TEvent, string> key)
        where TEvent : class
    {
        ArgumentNullException.ThrowIfNull(key);
        return Key<TEvent>((e, _) => key(e));
    }

    /// <summary>What a document is before its first event, by its key: what <c>Changes</c> gets where there is none.</summary>
    /// <exception cref="InvalidOperationException">It was called before.</exception>
    public ProjectionBuilder<TDocument> Initially(Func<string, TDocument> create)
    {
        ArgumentNullException.ThrowIfNull(create);
        if (_initially is not null)
            throw new InvalidOperationException($"The projection '{_name}' has its initial document already.");
        _initially = create;
        return this;
    }

    /// <summary>Every <typeparamref name="TEvent"/> makes one document, whose <c>Id</c> no other event names.</summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Inserts<TEvent>(Func<TEvent, RecordedEvent, TDocument> create)
        where TEvent : class => Add<TEvent>(ProjectionKind.Inserts, new(null, r => create((TEvent)r.Payload, r)));

    /// <summary>
    /// Every <typeparamref name="TEvent"/> adds <paramref name="delta"/> to the document with its <c>Id</c>: its numbers are added, its
    /// other fields are set when the document is new. Events of all partitions may name the document.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Sums<TEvent>(Func<TEvent, RecordedEvent, TDocument> delta)
        where TEvent : class => Add<TEvent>(ProjectionKind.Sums, new(null, r => delta((TEvent)r.Payload, r)));

    /// <summary>
    /// How two deltas of one document become one; required of a projection that sums. It may change its first argument and return it.
    /// </summary>
    public ProjectionBuilder<TDocument> Adding(Func<TDocument, TDocument, TDocument> plus)
    {
        _plus = plus;
        return this;
    }

    /// <summary>
    /// Every <typeparamref name="TEvent"/> folds into a document: <paramref name="fold"/> gets the present document, or null when there is
    /// none, and returns the next one, or null to delete it. It may change the one it got and return it. Where the document is always
    /// there, or always begins the same way, <c>Changes</c> says it shorter.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Folds<TEvent>(Func<TDocument?, TEvent, RecordedEvent, TDocument?> fold)
        where TEvent : class => Add<TEvent>(ProjectionKind.Folds, new((document, _, r) => fold(document, (TEvent)r.Payload, r), null));

    /// <summary>Every <typeparamref name="TEvent"/> begins a document, whatever there was before.</summary>
    /// <inheritdoc cref="Folds"/>
    public ProjectionBuilder<TDocument> Creates<TEvent>(Func<TEvent, RecordedEvent, TDocument> create)
        where TEvent : class => Folds<TEvent>((_, e, r) => create(e, r));

    /// <summary>
    /// Every <typeparamref name="TEvent"/> changes a document: <paramref name="change"/> gets the present one, or that of
    /// <see cref="Initially"/> when there is none, and returns the next one, or null to delete it. Without <see cref="Initially"/>, an
    /// event that finds no document stops its partition.
    /// </summary>
    /// <inheritdoc cref="Folds"/>
    public ProjectionBuilder<TDocument> Changes<TEvent>(Func<TDocument, TEvent, RecordedEvent, TDocument?> change)
        where TEvent : class => Add<TEvent>(ProjectionKind.Folds,
            new((document, key, r) => change(document ?? Initial(key), (TEvent)r.Payload, r), null));

    /// <inheritdoc cref="Changes{TEvent}(Func{TDocument, TEvent, RecordedEvent, TDocument})"/>
    public ProjectionBuilder<TDocument> Changes<TEvent>(Func<TDocument, TEvent, TDocument?> change)
        where TEvent : class => Changes<TEvent>((document, e, _) => change(document, e));

    /// <summary>Every <typeparamref name="TEvent"/> deletes the document.</summary>
    /// <inheritdoc cref="Folds"/>
    public ProjectionBuilder<TDocument> Deletes<TEvent>()
        where TEvent : class => Folds<TEvent>((_, _, _) => null);

    /// <summary>
    /// An index over <paramref name="fields"/>, in this order, smaller values first: <c>.Index(d => d.Owner, d => d.OpenedOn)</c>.
    /// </summary>
    /// <exception cref="InvalidOperationException">One is not a property of the document.</exception>
    public ProjectionBuilder<TDocument> Index(params ReadOnlySpan<Expression<Func<TDocument, object?>>> fields)
    {
        var index = new ReadModelIndexBuilder<TDocument>(_name);
        foreach (Expression<Func<TDocument, object?>> field in fields)
            index.Ascending(field);
        _indexes.Add(index.Build());
        return this;
    }

    /// <summary>
    /// An index with fields in descending order, or a unique one: <c>.Index(i => i.Ascending(d => d.Owner).Descending(d =>
    /// d.OpenedOn))</c>.
    /// </summary>
    /// <exception cref="InvalidOperationException">A field is not a property of the document, or there is none.</exception>
    public ProjectionBuilder<TDocument> Index(Func<ReadModelIndexBuilder<TDocument>, ReadModelIndexBuilder<TDocument>> describe)
    {
        ArgumentNullException.ThrowIfNull(describe);
        _indexes.Add(describe(new ReadModelIndexBuilder<TDocument>(_name)).Build());
        return this;
    }

    /// <summary>Finishes the definition.</summary>
    /// <exception cref="InvalidOperationException">It reads no event, it sums and <see cref="Adding"/> was not called, or what was said
    /// about keys does not go with its kind or its events.</exception>
    public ProjectionDefinition<TDocument> Build()
    {
        if (_kind is not { } kind)
            throw new InvalidOperationException($"The projection '{_name}' reads no event.");
        if (kind == ProjectionKind.Sums && _plus is null)
            throw new InvalidOperationException($"The projection '{_name}' sums: call {nameof(Adding)} to say how two deltas become one.");
        if (kind != ProjectionKind.Folds && (_key is not null || _keys.Count > 0 || _initially is not null))
            throw new InvalidOperationException($"The projection '{_name}' {Word(kind)}: its keys are the ids of what its functions "
                + $"return, and {nameof(Key)} and {nameof(Initially)} have nothing to say.");
        if (_keys.Keys.FirstOrDefault(t => !_handlers.ContainsKey(t)) is { } stranger)
            throw new InvalidOperationException($"The projection '{_name}' has a key for {stranger.Name}, which it does not read.");
        Func<RecordedEvent, string> key = _key ?? (static r => r.AggregateId.Value);
        return new ProjectionDefinition<TDocument>(
            _name, kind, _handlers.ToDictionary(h => h.Key, h => h.Value with { Key = _keys.GetValueOrDefault(h.Key, key) }), _idOf, _plus,
            [.. _indexes]);
    }

    private TDocument Initial(string key) => _initially is { } create
        ? create(key)
        : throw new InvalidOperationException($"there is no document '{key}' to change; an event that creates it must come before, "
            + $"or {nameof(Initially)} say how it begins.");

    private static string Word(ProjectionKind kind) => kind.ToString().ToLowerInvariant();

    private ProjectionBuilder<TDocument> Add<TEvent>(ProjectionKind kind, ProjectionHandler<TDocument> handler)
    {
        if (_kind is { } other && other != kind)
            throw new InvalidOperationException($"The projection '{_name}' {Word(other)}; it cannot also be one that {Word(kind)}.");
        if (!_handlers.TryAdd(typeof(TEvent), handler))
            throw new InvalidOperationException($"The projection '{_name}' already reads {typeof(TEvent).Name}.");
        _kind = kind;
        return this;
    }
}
