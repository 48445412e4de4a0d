namespace KafkaEventSourcing.Archive;

/// <summary>Opens archives by where they are: in folders, and at the places that packages have added. Thread-safe.</summary>
public sealed class ArchiveStores
{
    // What an operator is told who gives a place whose package is not there.
    private static readonly Dictionary<string, string> Optional = new(StringComparer.Ordinal)
    {
        ["s3"] = "KafkaEventSourcing.Archive.S3 (AddS3Archive)",
        ["azblob"] = "KafkaEventSourcing.Archive.Azure (AddAzureArchive)",
        ["https"] = "KafkaEventSourcing.Archive.Azure (AddAzureArchive)",
    };

    private readonly Dictionary<string, IArchiveStoreProvider> _providers = new(StringComparer.Ordinal);

    /// <summary>Initializes it with what packages have added; folders are there anyway.</summary>
    /// <exception cref="ArgumentException">Two of them are for one kind of place.</exception>
    public ArchiveStores(IEnumerable<IArchiveStoreProvider> providers)
    {
        ArgumentNullException.ThrowIfNull(providers);
        foreach (IArchiveStoreProvider provider in providers.Prepend(new FolderProvider()))
        {
            foreach (string scheme in provider.Schemes)
            {
                if (!_providers.TryAdd(scheme, provider))
                    throw new ArgumentException($"Two providers are for places at {scheme}://.", nameof(providers));
            }
        }
    }

    /// <summary>Opens the archive at a place.</summary>
    /// <param name="location">The place, as <see cref="ArchiveLocation.Parse"/> reads it.</param>
    /// <param name="create">Whether an archive is made where there is none.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="ArchiveNotFoundException">There is none, and none was to be made.</exception>
    /// <exception cref="FormatException">The location is not one, or of a kind that nobody opens.</exception>
    /// <exception cref="IOException">The place does not answer, or cannot hold an archive.</exception>
    public Task<IArchiveStore> OpenAsync(string location, bool create, CancellationToken cancellationToken = default)
    {
        ArchiveLocation place = ArchiveLocation.Parse(location);
        if (_providers.TryGetValue(place.Scheme, out IArchiveStoreProvider? provider))
            return provider.OpenAsync(place, create, cancellationToken);
        string missing = Optional.TryGetValue(place.Scheme, out string? package)
            ? $"the package {package} is not there"
            : $"an archive is at {string.Join(", ", _providers.Keys.Order(StringComparer.Ordinal).Select(s => s + "://"))}";
        throw new FormatException($"The archive at {place} cannot be opened: {missing}.");
    }

    private sealed class FolderProvider : IArchiveStoreProvider
    {
        public IReadOnlyCollection<string> Schemes { get; } = [Uri.UriSchemeFile];

        public Task<IArchiveStore> OpenAsync(ArchiveLocation location, bool create, CancellationToken cancellationToken) =>
            Task.FromResult<IArchiveStore>(create ? FolderArchiveStore.Create(location.Path) : new FolderArchiveStore(location.Path));
    }
}
