namespace KafkaEventSourcing.Archive.Azure;

/// <summary>
/// Opens archives at <c>azblob://container/prefix</c>, with the connection string of the environment, and at the address of a container,
/// which may have a shared access signature.
/// </summary>
public sealed class AzureArchiveStoreProvider : IArchiveStoreProvider
{
    internal const string Scheme = "azblob";

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Schemes { get; } = [Scheme, Uri.UriSchemeHttps];

    /// <inheritdoc/>
    public async Task<IArchiveStore> OpenAsync(ArchiveLocation location, bool create, CancellationToken cancellationToken = default)
    {
        AzureArchiveOptions options = AzureArchiveOptions.From(location);
        return create
            ? await AzureArchiveStore.CreateAsync(options, cancellationToken: cancellationToken)
            : await AzureArchiveStore.OpenAsync(options, cancellationToken: cancellationToken);
    }
}
