using System.Runtime.CompilerServices;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;

namespace KafkaEventSourcing.Archive.Azure;

/// <summary>
/// An archive in a container of Azure Blob Storage. A blob is made by a conditional write, as a whole. Thread-safe.
/// </summary>
public sealed class AzureArchiveStore : IArchiveStore
{
    // Who made a blob: an attempt that was not answered may have, and the next one then finds it there.
    private const string WriterKey = "kes_writer";

    private static readonly StorageTransferOptions Transfer = new()
    {
        InitialTransferSize = 64 * 1024 * 1024,
        MaximumTransferSize = 16 * 1024 * 1024,
        MaximumConcurrency = 1,
    };

    private readonly BlobContainerClient _container;
    private readonly string _prefix;
    private readonly StoreRetry _retry;
    private ArchiveMarker? _marker;
    private bool _isProbed;

    internal AzureArchiveStore(AzureArchiveOptions options, TokenCredential? credential, HttpPipelineTransport? transport, TimeSpan delay)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _prefix = options.Prefix.Length == 0 ? "" : options.Prefix + "/";
        Location = options.ToString();
        _container = Client(options, credential, transport);
        _retry = new StoreRetry(TimeProvider.System, AzureFailure.MayPass) { Delay = delay };
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <summary>Opens the archive in a container.</summary>
    /// <param name="options">Which one.</param>
    /// <param name="credential">Who asks, for an address without a shared access signature; null: the address or the connection string says
    /// it.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="ArchiveNotFoundException">There is none; see <see cref="CreateAsync"/>.</exception>
    /// <exception cref="IOException">The container does not answer.</exception>
    public static Task<AzureArchiveStore> OpenAsync(
        AzureArchiveOptions options, TokenCredential? credential = null, CancellationToken cancellationToken = default) =>
        Made(options, credential).OpenedAsync(create: false, cancellationToken);

    /// <summary>Makes an archive in a container, and opens it; one that is there already is opened as it is.</summary>
    /// <param name="options">Which container; it is there already.</param>
    /// <param name="credential">Who asks, for an address without a shared access signature; null: the address or the connection string says
    /// it.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="IOException">The container does not answer, or takes no notice of conditions.</exception>
    public static Task<AzureArchiveStore> CreateAsync(
        AzureArchiveOptions options, TokenCredential? credential = null, CancellationToken cancellationToken = default) =>
        Made(options, credential).OpenedAsync(create: true, cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> TryCreateAsync(string name, Stream content, CancellationToken cancellationToken = default)
    {
        string blob = BlobOf(name);
        ArgumentNullException.ThrowIfNull(content);
        var source = new SourceContent(content);
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            await ProbeAsync(cancellationToken);
            return await TryWriteAsync(blob, source, cancellationToken);
        }
        catch (Exception e) when (AzureFailure.IsOne(e) || source.Fault is not null)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Failure($"The file '{name}' cannot be made in", source.Fault ?? e);
        }
    }

    /// <inheritdoc/>
    public async Task<int> ReadAsync(string name, long offset, Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        string blob = BlobOf(name);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (buffer.Length == 0)
            return await FindAsync(name, cancellationToken) is null ? throw Missing(name, null) : 0;
        try
        {
            return await _retry.RunAsync(_ => ReadOnceAsync(blob, offset, buffer, cancellationToken), cancellationToken);
        }
        catch (RequestFailedException none) when (none is { Status: 404, ErrorCode: "BlobNotFound" })
        {
            await CheckMarkerAsync(name, cancellationToken);
            throw Missing(name, none);
        }
        catch (Exception e) when (AzureFailure.IsOne(e))
        {
            throw Failure($"The file '{name}' cannot be read from", e);
        }
    }

    /// <inheritdoc/>
    public async Task<long?> FindAsync(string name, CancellationToken cancellationToken = default)
    {
        string blob = BlobOf(name);
        try
        {
            if (await _retry.RunAsync(_ => PropertiesAsync(blob, cancellationToken), cancellationToken) is { } there)
                return there.ContentLength;
        }
        catch (Exception e) when (AzureFailure.IsOne(e))
        {
            throw Failure($"Whether there is a file '{name}' is not known of", e);
        }

        await CheckMarkerAsync(name, cancellationToken);
        return null;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ArchiveFile> ListAsync(
        string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArchiveFileNames.CheckPrefix(prefix);
        List<ArchiveFile> files;
        try
        {
            files = await _retry.RunAsync(_ => FilesOfAsync(prefix, cancellationToken), cancellationToken);
        }
        catch (Exception e) when (AzureFailure.IsOne(e))
        {
            throw Failure("The files cannot be listed of", e);
        }

        foreach (ArchiveFile file in files)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return file;
        }
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken = default)
    {
        string blob = BlobOf(name);
        try
        {
            await _retry.RunAsync(_ => _container.GetBlobClient(blob).DeleteIfExistsAsync(cancellationToken: cancellationToken),
                cancellationToken);
        }
        catch (Exception e) when (AzureFailure.IsOne(e))
        {
            throw Failure($"The file '{name}' cannot be deleted from", e);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask; // clients of Azure share their connections

    internal async Task<AzureArchiveStore> OpenedAsync(bool create, CancellationToken cancellationToken)
    {
        _marker = await ArchiveMarker.ReadAsync(this, cancellationToken);
        if (_marker is null && create)
        {
            using var text = new MemoryStream(ArchiveMarker.Create().ToUtf8());
            await TryCreateAsync(ArchiveMarker.FileName, text, cancellationToken); // or somebody else has: the archive is theirs
            _marker = await ArchiveMarker.ReadAsync(this, cancellationToken);
        }

        return _marker is null ? throw ArchiveMarker.Missing(Location) : this;
    }

    private static AzureArchiveStore Made(AzureArchiveOptions options, TokenCredential? credential) =>
        new(options, credential, null, TimeSpan.FromMilliseconds(200));

    private static BlobContainerClient Client(AzureArchiveOptions options, TokenCredential? credential, HttpPipelineTransport? transport)
    {
        var client = new BlobClientOptions();
        client.Retry.MaxRetries = 0; // see StoreRetry
        client.Retry.NetworkTimeout = options.Timeout;
        client.Diagnostics.IsLoggingEnabled = false;
        if (transport is not null)
            client.Transport = transport;
        if (options.ContainerAddress is { } address)
            return credential is null ? new BlobContainerClient(address, client) : new BlobContainerClient(address, credential, client);
        string text = options.ConnectionString ?? Environment.GetEnvironmentVariable(AzureArchiveOptions.ConnectionStringVariable)
            ?? throw new IOException($"The account of {options} is not known. Set {AzureArchiveOptions.ConnectionStringVariable}, or give "
                + "the address of the container: https://account.blob.core.windows.net/container.");
        try
        {
            return new BlobContainerClient(text, options.Container, client);
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            throw new IOException($"The connection string of {options} is not one.", e);
        }
    }

    private async Task<bool> TryWriteAsync(string blob, SourceContent source, CancellationToken cancellationToken)
    {
        string writer = Guid.CreateVersion7().ToString("N");
        return await _retry.RunAsync(async attempt =>
        {
            if (attempt > 1 && await WriterOfAsync(blob, cancellationToken) is { } already)
                return already == writer;
            try
            {
                await PutAsync(blob, source, writer, cancellationToken);
                return true;
            }
            catch (RequestFailedException there) when (AzureFailure.IsThere(there))
            {
                string? made = await WriterOfAsync(blob, cancellationToken);
                if (made is null)
                    throw; // gone since: it is tried again
                return made == writer;
            }
            catch (Exception) when (source.Fault is { } fault)
            {
                throw new SourceFaultException(fault);
            }
        }, cancellationToken);
    }

    private async Task PutAsync(string blob, SourceContent source, string writer, CancellationToken cancellationToken)
    {
        using Stream body = source.Open(0, source.Length);
        await _container.GetBlobClient(blob).UploadAsync(body, new BlobUploadOptions
        {
            Conditions = new BlobRequestConditions { IfNoneMatch = ETag.All },
            Metadata = new Dictionary<string, string> { [WriterKey] = writer },
            TransferOptions = Transfer,
        }, cancellationToken);
    }

    private async Task<int> ReadOnceAsync(string blob, long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            using BlobDownloadStreamingResult found = await _container.GetBlobClient(blob).DownloadStreamingAsync(
                new BlobDownloadOptions { Range = new HttpRange(offset, buffer.Length) }, cancellationToken);
            int wanted = (int)Math.Min(found.Details.ContentLength, buffer.Length);
            int read = await found.Content.ReadAtLeastAsync(buffer[..wanted], wanted, throwOnEndOfStream: false, cancellationToken);
            return read == wanted ? read : throw new IOException($"the answer ended after {read} bytes of {wanted}");
        }
        catch (RequestFailedException behindTheEnd) when (behindTheEnd.Status == 416)
        {
            return 0;
        }
    }

    private async Task<List<ArchiveFile>> FilesOfAsync(string prefix, CancellationToken cancellationToken)
    {
        List<ArchiveFile> files = [];
        var options = new GetBlobsOptions { Prefix = _prefix + prefix };
        await foreach (BlobItem found in _container.GetBlobsAsync(options, cancellationToken))
        {
            // What cannot be called so is somebody else's, as the folders that some tools make.
            string name = found.Name[_prefix.Length..];
            if (ArchiveFileNames.IsName(name))
                files.Add(new ArchiveFile(name, found.Properties.ContentLength ?? 0));
        }

        files.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return files;
    }

    private async Task<BlobProperties?> PropertiesAsync(string blob, CancellationToken cancellationToken)
    {
        try
        {
            return await _container.GetBlobClient(blob).GetPropertiesAsync(cancellationToken: cancellationToken);
        }
        catch (RequestFailedException none) when (none is { Status: 404, ErrorCode: "BlobNotFound" })
        {
            return null;
        }
    }

    private async Task<string?> WriterOfAsync(string blob, CancellationToken cancellationToken) =>
        await PropertiesAsync(blob, cancellationToken) is not { } there ? null
            : there.Metadata.TryGetValue(WriterKey, out string? writer) ? writer
            : "";

    private async Task CheckMarkerAsync(string missing, CancellationToken cancellationToken)
    {
        if (_marker is null || missing == ArchiveMarker.FileName)
            return;
        ArchiveMarker there = await ArchiveMarker.ReadAsync(this, cancellationToken) ?? throw ArchiveMarker.Missing(Location);
        if (there.Id != _marker.Id)
            throw new ArchiveNotFoundException($"The archive in {Location} is not there any more: another one is in its place.");
    }

    // Azure keeps to conditions; what only speaks its protocol may not.
    private async Task ProbeAsync(CancellationToken cancellationToken)
    {
        if (_isProbed)
            return;
        string blob = $"{_prefix}{ArchiveFileNames.PartialFolder}/probe-{Guid.CreateVersion7():N}";
        var source = new SourceContent(new MemoryStream("probe"u8.ToArray()));
        bool isMade = await TryWriteAsync(blob, source, cancellationToken);
        bool isMadeAgain = await TryWriteAsync(blob, source, cancellationToken);
        await _retry.RunAsync(_ => _container.GetBlobClient(blob).DeleteIfExistsAsync(cancellationToken: cancellationToken),
            cancellationToken);
        if (!isMade || isMadeAgain)
            throw new IOException("The store takes no notice of 'If-None-Match: *': two writers could replace each other's files.");
        _isProbed = true;
    }

    private string BlobOf(string name) => _prefix + ArchiveFileNames.Check(name);

    private FileNotFoundException Missing(string name, Exception? cause) =>
        new($"There is no file '{name}' in the archive in {Location}.", name, cause);

    private IOException Failure(string what, Exception e) => new($"{what} the archive in {Location}: {AzureFailure.Describe(e)}", e);
}
