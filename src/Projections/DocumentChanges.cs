namespace KafkaEventSourcing.Projections;

/// <summary>What one batch changes in the documents of one projection.</summary>
public abstract class DocumentChanges
{
    private protected DocumentChanges(ProjectionDefinition projection) => Projection = projection;

    /// <summary>The projection.</summary>
    public ProjectionDefinition Projection { get; }

    /// <summary>How many documents are inserted, replaced, deleted or added to.</summary>
    public abstract int Count { get; }
}

/// <summary>The typed <see cref="DocumentChanges"/>.</summary>
public sealed class DocumentChanges<TDocument> : DocumentChanges
    where TDocument : class
{
    private readonly List<bool>? _isNew;

    internal DocumentChanges(ProjectionDefinition<TDocument> projection, List<KeyValuePair<string, TDocument?>> documents, List<bool>? isNew = null)
        : base(projection) => (Documents, _isNew) = (documents, isNew);

    /// <summary>
    /// Key and document, each key once, in the order of the key's first event. Of an inserting projection the new documents; of a folding one the next
    /// documents, null where the document is deleted; of a summing one what is to be added.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, TDocument?>> Documents { get; }

    /// <inheritdoc/>
    public override int Count => Documents.Count;

    /// <summary>Whether document <paramref name="index"/> was not stored when the batch was folded. Of a summing projection it is not known, and false.</summary>
    public bool IsNew(int index) => _isNew is null ? Projection.Kind == ProjectionKind.Inserts : _isNew[index];
}
