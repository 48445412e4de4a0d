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
    internal DocumentChanges(ProjectionDefinition<TDocument> projection, List<KeyValuePair<string, TDocument?>> documents)
        : base(projection) => Documents = documents;

    /// <summary>
    /// Key and document, each key once, in the order of the key's first event. Of an inserting projection the new documents; of a folding one the next
    /// documents, null where the document is deleted; of a summing one what is to be added.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, TDocument?>> Documents { get; }

    /// <inheritdoc/>
    public override int Count => Documents.Count;
}
