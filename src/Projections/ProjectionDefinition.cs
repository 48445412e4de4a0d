using System.Collections.Frozen;

namespace KafkaEventSourcing.Projections;

/// <summary>How the documents of a projection come to be.</summary>
public enum ProjectionKind
{
    /// <summary>Each event makes a document of its own, which never changes.</summary>
    Inserts,

    /// <summary>
    /// A document is the fold of the events that name its key: those of one partition in the order of the log, those of several in any
    /// order of these.
    /// </summary>
    Folds,

    /// <summary>A document is the sum of what events add to it, in any order; events of all partitions may name its key.</summary>
    Sums,
}

/// <summary>
/// A read model: per event type, which document it touches and how. All functions are pure. Built with
/// <see cref="Define{TDocument}"/>. Immutable and thread-safe.
/// </summary>
public abstract class ProjectionDefinition
{
    private protected ProjectionDefinition(string name, ProjectionKind kind, IReadOnlyList<ReadModelIndex> indexes) =>
        (Name, Kind, Indexes) = (name, kind, indexes);

    /// <summary>The name: that of the collection which analysts query.</summary>
    public string Name { get; }

    /// <summary>How the documents come to be.</summary>
    public ProjectionKind Kind { get; }

    /// <summary>The indexes that its queries need, besides that of the key.</summary>
    public IReadOnlyList<ReadModelIndex> Indexes { get; }

    /// <summary>The event types that the projection reads; others pass by.</summary>
    public abstract IReadOnlyCollection<Type> EventTypes { get; }

    /// <summary>The type of the documents.</summary>
    public abstract Type DocumentType { get; }

    /// <summary>Starts the definition of a read model.</summary>
    /// <param name="name">A collection name: a letter, then letters, digits, hyphens and underscores, at most 64.</param>
    /// <typeparam name="TDocument">The document; its <c>Id</c>, a string, is its key.</typeparam>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    /// <exception cref="InvalidOperationException">The document has no such <c>Id</c>.</exception>
    public static ProjectionBuilder<TDocument> Define<TDocument>(string name)
        where TDocument : class => new(name);

    /// <summary>Calls <paramref name="visitor"/> with the document type known at compile time.</summary>
    public abstract TResult Accept<TResult>(IProjectionVisitor<TResult> visitor);

    internal abstract ProjectionFold StartFold(long cachedBytes);
}

/// <summary>Something that needs the document type of a <see cref="ProjectionDefinition"/> as a type argument.</summary>
public interface IProjectionVisitor<out TResult>
{
    /// <summary>Called with the projection.</summary>
    TResult Visit<TDocument>(ProjectionDefinition<TDocument> projection)
        where TDocument : class;
}

/// <summary>A <see cref="ProjectionDefinition"/> with its document type.</summary>
public sealed class ProjectionDefinition<TDocument> : ProjectionDefinition
    where TDocument : class
{
    private readonly FrozenDictionary<Type, ProjectionHandler<TDocument>> _handlers;

    private readonly Func<TDocument, string> _idOf;

    internal ProjectionDefinition(
        string name, ProjectionKind kind, Dictionary<Type, ProjectionHandler<TDocument>> handlers, Func<TDocument, string> idOf,
        Func<TDocument, TDocument, TDocument>? plus, IReadOnlyList<ReadModelIndex> indexes)
        : base(name, kind, indexes)
    {
        _handlers = handlers.ToFrozenDictionary();
        _idOf = idOf;
        Plus = plus;
    }

    /// <inheritdoc/>
    public override IReadOnlyCollection<Type> EventTypes => _handlers.Keys;

    /// <inheritdoc/>
    public override Type DocumentType => typeof(TDocument);

    internal Func<TDocument, TDocument, TDocument>? Plus { get; }

    /// <summary>The sum of two documents of a projection that sums.</summary>
    /// <exception cref="InvalidOperationException">The projection is of another kind.</exception>
    public TDocument Add(TDocument left, TDocument right) =>
        Plus is { } plus ? plus(left, right) : throw new InvalidOperationException($"The projection '{Name}' does not sum.");

    /// <inheritdoc/>
    public override TResult Accept<TResult>(IProjectionVisitor<TResult> visitor) => visitor.Visit(this);

    internal string IdOf(TDocument document) => _idOf(document);

    internal bool TryGetHandler(Type eventType, out ProjectionHandler<TDocument> handler) => _handlers.TryGetValue(eventType, out handler);

    internal override ProjectionFold StartFold(long cachedBytes) => new ProjectionFold<TDocument>(this, cachedBytes);
}

/// <summary>What one event type does: one of the two functions, and the key of the document that it folds into.</summary>
internal readonly record struct ProjectionHandler<TDocument>(
    Func<TDocument?, string, RecordedEvent, TDocument?>? Fold,
    Func<RecordedEvent, TDocument>? Create)
    where TDocument : class
{
    public Func<RecordedEvent, string> Key { get; init; } = static r => r.AggregateId.Value;
}
