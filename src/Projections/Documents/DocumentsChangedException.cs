namespace KafkaEventSourcing.Projections;

/// <summary>
/// A document has changed since it was folded on: somebody else writes it too. Nothing was written; fold again on what is stored now.
/// </summary>
public sealed class DocumentsChangedException : Exception
{
    /// <summary>Creates the error for the read model <paramref name="projection"/>.</summary>
    public DocumentsChangedException(string projection)
        : base($"Documents of '{projection}' have changed since they were folded on.") => Projection = projection;

    /// <summary>The read model's name.</summary>
    public string Projection { get; }
}
