namespace KafkaEventSourcing.Archive;

/// <summary>Opens archives at the places of a kind. Thread-safe.</summary>
public interface IArchiveStoreProvider
{
    /// <summary>The kinds, in lower case: the beginnings of their URLs, such as <c>s3</c>.</summary>
    IReadOnlyCollection<string> Schemes { get; }

    /// <summary>Opens the archive at a place.</summary>
    /// <param name="location">The place; its scheme is one of <see cref="Schemes"/>.</param>
    /// <param name="create">Whether an archive is made where there is none.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="ArchiveNotFoundException">There is none, and none was to be made.</exception>
    /// <exception cref="FormatException">The location is not one of such a place.</exception>
    /// <exception cref="IOException">The place does not answer, or cannot hold an archive.</exception>
    Task<IArchiveStore> OpenAsync(ArchiveLocation location, bool create, CancellationToken cancellationToken = default);
}
