namespace KafkaEventSourcing.Archive;

/// <summary>
/// Where the files of an archive are: a folder, a bucket, a container. A file is made once, as a whole, and never changed. Thread-safe.
/// </summary>
/// <remarks>
/// Names are relative to the place of the archive, with <c>/</c> between their parts; a part has the characters <c>A-Z a-z 0-9 . _ - =</c>
/// and is not <c>.</c> or <c>..</c>. A failure of the place that may pass (<c>500</c>, a connection that ends) is tried again within a
/// call; what stays is an <see cref="IOException"/> that names the file and the place.
/// </remarks>
public interface IArchiveStore : IAsyncDisposable
{
    /// <summary>The place, for people; without secrets.</summary>
    string Location { get; }

    /// <summary>
    /// Makes a file of what <paramref name="content"/> has from its position on. A reader sees all of it or nothing, and of several who
    /// make one name at the same time one succeeds.
    /// </summary>
    /// <param name="name">The file.</param>
    /// <param name="content">Can be sought, as it may be read more than once; stays open.</param>
    /// <param name="cancellationToken">Ends the call; whether there is a file then is not known.</param>
    /// <returns>False: there is a file of that name, which is left as it is.</returns>
    /// <exception cref="IOException">The place does not take it.</exception>
    Task<bool> TryCreateAsync(string name, Stream content, CancellationToken cancellationToken = default);

    /// <summary>Reads from a file.</summary>
    /// <param name="name">The file.</param>
    /// <param name="offset">Where to begin, in bytes.</param>
    /// <param name="buffer">Filled as far as the file goes.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>How many bytes were read: less than the length of <paramref name="buffer"/> only where the file ends.</returns>
    /// <exception cref="FileNotFoundException">There is none of that name.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    Task<int> ReadAsync(string name, long offset, Memory<byte> buffer, CancellationToken cancellationToken = default);

    /// <summary>A file's length in bytes; null: there is none of that name.</summary>
    /// <exception cref="IOException">The place does not answer.</exception>
    Task<long?> FindAsync(string name, CancellationToken cancellationToken = default);

    /// <summary>The files whose names begin with <paramref name="prefix"/>, in the ordinal order of their names.</summary>
    /// <exception cref="IOException">The place does not answer.</exception>
    IAsyncEnumerable<ArchiveFile> ListAsync(string prefix, CancellationToken cancellationToken = default);

    /// <summary>Removes a file; one that is not there is no error.</summary>
    /// <exception cref="IOException">The place does not answer, or keeps it.</exception>
    Task DeleteAsync(string name, CancellationToken cancellationToken = default);
}

/// <summary>A file of an archive.</summary>
/// <param name="Name">Its name, relative to the place of the archive.</param>
/// <param name="Bytes">Its length.</param>
public readonly record struct ArchiveFile(string Name, long Bytes);
