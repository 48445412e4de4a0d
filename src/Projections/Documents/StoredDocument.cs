namespace KafkaEventSourcing.Projections;

/// <summary>A document of a read model that folds, with its version. <c>default</c>: there is none.</summary>
/// <param name="Document">The document; null when there is none.</param>
/// <param name="Version">What the write that left it so was marked with (<see cref="DocumentChanges.Version"/>); null when it was written
/// without.</param>
public readonly record struct StoredDocument<TDocument>(TDocument? Document, long? Version)
    where TDocument : class;
