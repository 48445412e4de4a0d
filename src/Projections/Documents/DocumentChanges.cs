namespace KafkaEventSourcing.Projections;

/// <summary>What one batch changes in the documents of one projection.</summary>
public abstract class DocumentChanges
{
    private protected DocumentChanges(ProjectionDefinition projection, long version) => (Projection, Version) = (projection, version);

    /// <summary>The projection.</summary>
    public ProjectionDefinition Projection { get; }

    /// <summary>
    /// What the documents of a folding projection are marked with when these changes are written. No other write has it: a document that
    /// has another version than the one that it was folded on was written by somebody else meanwhile, also when it was deleted and made
    /// again.
    /// </summary>
    public long Version { get; }

    /// <summary>How many documents are inserted, replaced, deleted or added to.</summary>
    public abstract int Count { get; }
}

/// <summary>The typed <see cref="DocumentChanges"/>.</summary>
public sealed class DocumentChanges<TDocument> : DocumentChanges
    where TDocument : class
{
    private readonly List<StoredDocument<TDocument>>? _before;

    internal DocumentChanges(ProjectionDefinition<TDocument> projection, List<KeyValuePair<string, TDocument?>> documents)
        : base(projection, version: 0) => Documents = documents;

    internal DocumentChanges(ProjectionDefinition<TDocument> projection, List<KeyValuePair<string, TDocument?>> documents,
        List<StoredDocument<TDocument>> before, long version)
        : base(projection, version) => (Documents, _before) = (documents, before);

    /// <summary>
    /// Key and document, each key once, in the order of the key's first event. Of an inserting projection the new documents; of a folding
    /// one the next documents, null where the document is deleted; of a summing one what is to be added.
    /// </summary>
    public IReadOnlyList<KeyValuePair<string, TDocument?>> Documents { get; }

    /// <inheritdoc/>
    public override int Count => Documents.Count;

    /// <summary>
    /// Whether document <paramref name="index"/> was not stored when the batch was folded. Of a summing projection it is not known, and
    /// false.
    /// </summary>
    public bool IsNew(int index) => _before is null ? Projection.Kind == ProjectionKind.Inserts : _before[index].Document is null;

    /// <summary>
    /// The version of the stored document that document <paramref name="index"/> was folded on; null when there was none, or it has none.
    /// </summary>
    public long? VersionBefore(int index) => _before?[index].Version;
}
