using Azure.Storage.Blobs;
using KafkaEventSourcing.Archive.Azure;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>Against Azurite or an account: <c>KES_TEST_AZURE</c> is its connection string.</summary>
public sealed class AzureArchiveStoreTests : ArchiveStoreContract
{
    private const string Variable = "KES_TEST_AZURE";
    private readonly string? _account = Environment.GetEnvironmentVariable(Variable);
    private readonly string _container = $"kes-{Guid.CreateVersion7():N}";

    public override async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(string.IsNullOrEmpty(_account), $"{Variable} is not set.");
        await new BlobContainerClient(_account, _container).CreateAsync();
        await base.InitializeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (!string.IsNullOrEmpty(_account))
            await new BlobContainerClient(_account, _container).DeleteIfExistsAsync();
    }

    private protected override async Task<IArchiveStore> Open() =>
        await AzureArchiveStore.CreateAsync(Options(), cancellationToken: Cancelled);

    [Fact]
    public async Task Container_or_prefix_without_an_archive_is_never_taken_for_an_empty_one()
    {
        (await Should.ThrowAsync<ArchiveNotFoundException>(() => AzureArchiveStore.OpenAsync(Options() with { Prefix = "other" })))
            .Message.ShouldStartWith($"There is no archive in azblob://{_container}/other: ");
        (await Should.ThrowAsync<IOException>(() => AzureArchiveStore.CreateAsync(Options() with { Container = "none-at-all" })))
            .Message.ShouldEndWith("There is no such container. It is not made by itself.");
        await Store.DeleteAsync("archive.json", Cancelled);
        await Should.ThrowAsync<ArchiveNotFoundException>(async () => await Store.FindAsync(Name("a"), Cancelled));
    }

    private AzureArchiveOptions Options() => new() { Container = _container, ConnectionString = _account, Prefix = "main" };
}
