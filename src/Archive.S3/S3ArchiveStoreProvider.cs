namespace KafkaEventSourcing.Archive.S3;

/// <summary>
/// Opens archives at <c>s3://bucket/prefix?region=…&amp;endpoint=…&amp;pathStyle=…</c>, with the credentials of the SDK's own chain.
/// </summary>
public sealed class S3ArchiveStoreProvider : IArchiveStoreProvider
{
    /// <inheritdoc/>
    public IReadOnlyCollection<string> Schemes { get; } = ["s3"];

    /// <inheritdoc/>
    public async Task<IArchiveStore> OpenAsync(ArchiveLocation location, bool create, CancellationToken cancellationToken = default)
    {
        S3ArchiveOptions options = S3ArchiveOptions.From(location);
        return create
            ? await S3ArchiveStore.CreateAsync(options, cancellationToken: cancellationToken)
            : await S3ArchiveStore.OpenAsync(options, cancellationToken: cancellationToken);
    }
}
