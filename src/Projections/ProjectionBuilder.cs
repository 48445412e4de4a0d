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
    private ProjectionKind? _kind;
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
    /// <exception cref="InvalidOperationException">It reads no event, or it sums and <see cref="Adding"/> was not called.</exception>
    public ProjectionDefinition Build()
    {
        if (_kind is not { } kind)
            throw new InvalidOperationException($"The projection '{_name}' reads no event.");
        if (kind == ProjectionKind.Sums && _plus is null)
            throw new InvalidOperationException($"The projection '{_name}' sums: call {nameof(Adding)} to say how two deltas become one.");
        return new ProjectionDefinition<TDocument>(_name, kind, _handlers, _plus);
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
