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
    private readonly Dictionary<Type, ProjectionHandler<TDocument>> _handlers = [];
    private readonly List<Type> _keyless = []; // the events that are declared without a key of their own
    private ProjectionKind? _kind;
    private Func<RecordedEvent, string>? _key;
    private Func<TDocument, TDocument, TDocument>? _plus;

    internal ProjectionBuilder(string name)
    {
        if (name.Length is 0 or > MaxNameLength || !char.IsAsciiLetter(name[0]) || name.Any(c => !(char.IsAsciiLetterOrDigit(c) || c is '-' or '_')))
        {
            throw new InvalidInputException("projection",
                $"The projection name '{name}' must start with a letter and have at most {MaxNameLength} letters, digits, hyphens and underscores: it is a collection name.");
        }

        _name = name;
    }

    /// <summary>The key that events name which are declared without one of their own. Of a projection that folds it is the aggregate's id unless this is called; one that inserts or sums has to call it.</summary>
    /// <exception cref="InvalidOperationException">It was called before.</exception>
    public ProjectionBuilder<TDocument> Key(Func<RecordedEvent, string> key)
    {
        if (_key is not null)
            throw new InvalidOperationException($"The projection '{_name}' has its key already.");
        _key = key;
        return this;
    }

    /// <summary>Every <typeparamref name="TEvent"/> makes one document, under the projection's <see cref="Key"/>, which no other event has.</summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Inserts<TEvent>(Func<TEvent, RecordedEvent, TDocument> create)
        where TEvent : class =>
        Keyless<TEvent>().Add<TEvent>(ProjectionKind.Inserts, new(KeyOf, null, r => create((TEvent)r.Payload, r)));

    /// <summary>Every <typeparamref name="TEvent"/> changes the document under the projection's <see cref="Key"/>, or else that of its aggregate's id, as the fold with a key does.</summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Folds<TEvent>(Func<TDocument?, TEvent, RecordedEvent, TDocument?> fold)
        where TEvent : class =>
        Keyless<TEvent>().Add<TEvent>(ProjectionKind.Folds, new(KeyOf, (document, r) => fold(document, (TEvent)r.Payload, r), null));

    /// <summary>Every <typeparamref name="TEvent"/> adds <paramref name="delta"/> to the document under the projection's <see cref="Key"/>, as the sum with a key does.</summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Sums<TEvent>(Func<TEvent, RecordedEvent, TDocument> delta)
        where TEvent : class =>
        Keyless<TEvent>().Add<TEvent>(ProjectionKind.Sums, new(KeyOf, null, r => delta((TEvent)r.Payload, r)));

    /// <summary>Every <typeparamref name="TEvent"/> makes one document, under a key that no other event has.</summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Inserts<TEvent>(Func<TEvent, RecordedEvent, string> key, Func<TEvent, RecordedEvent, TDocument> create)
        where TEvent : class =>
        Add<TEvent>(ProjectionKind.Inserts, new(r => key((TEvent)r.Payload, r), null, r => create((TEvent)r.Payload, r)));

    /// <summary>
    /// Every <typeparamref name="TEvent"/> changes the document under <paramref name="key"/>: <paramref name="fold"/> gets the present
    /// document, or null when there is none, and returns the next one, or null to delete it. It may change the one it got and return it.
    /// Events of several aggregates, partitions and aggregate types may name the key: those of one partition come in the order of the log, those of two in any order.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Folds<TEvent>(Func<TEvent, RecordedEvent, string> key, Func<TDocument?, TEvent, RecordedEvent, TDocument?> fold)
        where TEvent : class =>
        Add<TEvent>(ProjectionKind.Folds, new(r => key((TEvent)r.Payload, r), (document, r) => fold(document, (TEvent)r.Payload, r), null));

    /// <summary>
    /// Every <typeparamref name="TEvent"/> adds <paramref name="delta"/> to the document under <paramref name="key"/>: its numbers are added,
    /// its other fields are set when the document is new. Events of all partitions may name the key.
    /// </summary>
    /// <exception cref="InvalidOperationException">The type is declared already, or the projection is of another kind.</exception>
    public ProjectionBuilder<TDocument> Sums<TEvent>(Func<TEvent, RecordedEvent, string> key, Func<TEvent, RecordedEvent, TDocument> delta)
        where TEvent : class =>
        Add<TEvent>(ProjectionKind.Sums, new(r => key((TEvent)r.Payload, r), null, r => delta((TEvent)r.Payload, r)));

    /// <summary>How two deltas of one key become one; required of a projection that sums. It may change its first argument and return it.</summary>
    public ProjectionBuilder<TDocument> Adding(Func<TDocument, TDocument, TDocument> plus)
    {
        _plus = plus;
        return this;
    }

    /// <summary>Finishes the definition.</summary>
    /// <exception cref="InvalidOperationException">It reads no event, it sums and <see cref="Adding"/> was not called, or an event has no key.</exception>
    public ProjectionDefinition Build()
    {
        if (_kind is not { } kind)
            throw new InvalidOperationException($"The projection '{_name}' reads no event.");
        if (kind == ProjectionKind.Sums && _plus is null)
            throw new InvalidOperationException($"The projection '{_name}' sums: call {nameof(Adding)} to say how two deltas become one.");
        if (kind != ProjectionKind.Folds && _key is null && _keyless.Count > 0)
            throw new InvalidOperationException($"The projection '{_name}' has no key for {string.Join(", ", _keyless.Select(t => t.Name))}: call {nameof(Key)}, or name it with the event.");
        return new ProjectionDefinition<TDocument>(_name, kind, _handlers, _plus);
    }

    private string KeyOf(RecordedEvent recorded) => _key is { } key ? key(recorded) : recorded.AggregateId.Value;

    private ProjectionBuilder<TDocument> Keyless<TEvent>()
    {
        _keyless.Add(typeof(TEvent));
        return this;
    }

    private ProjectionBuilder<TDocument> Add<TEvent>(ProjectionKind kind, ProjectionHandler<TDocument> handler)
    {
        if (_kind is { } other && other != kind)
            throw new InvalidOperationException($"The projection '{_name}' {other.ToString().ToLowerInvariant()}; it cannot also be one that {kind.ToString().ToLowerInvariant()}.");
        if (!_handlers.TryAdd(typeof(TEvent), handler))
            throw new InvalidOperationException($"The projection '{_name}' already reads {typeof(TEvent).Name}.");
        _kind = kind;
        return this;
    }
}
