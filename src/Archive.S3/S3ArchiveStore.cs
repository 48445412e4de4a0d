using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace KafkaEventSourcing.Archive.S3;

/// <summary>
/// An archive in a bucket of S3, or of a store that speaks it. An object is made by a conditional write (<c>If-None-Match: *</c>), on which
/// it rests that a file is made once; a store that takes no notice of the condition is refused before the first write. Thread-safe.
/// </summary>
public sealed class S3ArchiveStore : IArchiveStore
{
    // Who made an object: an attempt that was not answered may have, and the next one then finds it there.
    private const string WriterKey = "kes-writer";

    private readonly S3ArchiveOptions _options;
    private readonly AmazonS3Client _client;
    private readonly string _prefix;
    private readonly StoreRetry _retry;
    private readonly S3Upload _upload;
    private readonly SemaphoreSlim _probing = new(1);
    private ArchiveMarker? _marker;
    private bool _isProbed;
    private bool _isProbedForParts;

    internal S3ArchiveStore(S3ArchiveOptions options, AWSCredentials? credentials, S3ArchiveLimits limits)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _options = options;
        _prefix = options.Prefix.Length == 0 ? "" : options.Prefix + "/";
        Location = $"s3://{options.Bucket}/{options.Prefix}"
            + (options.Endpoint is { } at ? $" ({at.GetLeftPart(UriPartial.Authority)})" : "");
        _client = S3Client.Create(options, credentials, Location);
        _retry = new StoreRetry(TimeProvider.System, S3Failure.MayPass) { Attempts = limits.Attempts, Delay = limits.Delay };
        _upload = new S3Upload(_client, options.Bucket, limits, _retry);
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <summary>Opens the archive in a bucket.</summary>
    /// <param name="options">Which one.</param>
    /// <param name="credentials">Null: those of the SDK's own chain: environment, profile, role of the machine or of the pod.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="ArchiveNotFoundException">There is none; see <see cref="CreateAsync"/>.</exception>
    /// <exception cref="IOException">The bucket does not answer.</exception>
    public static Task<S3ArchiveStore> OpenAsync(
        S3ArchiveOptions options, AWSCredentials? credentials = null, CancellationToken cancellationToken = default) =>
        new S3ArchiveStore(options, credentials, new S3ArchiveLimits()).OpenedAsync(create: false, cancellationToken);

    /// <summary>Makes an archive in a bucket, and opens it; one that is there already is opened as it is.</summary>
    /// <param name="options">Which bucket; it is there already.</param>
    /// <param name="credentials">Null: those of the SDK's own chain: environment, profile, role of the machine or of the pod.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="IOException">The bucket does not answer, or takes no notice of conditions.</exception>
    public static Task<S3ArchiveStore> CreateAsync(
        S3ArchiveOptions options, AWSCredentials? credentials = null, CancellationToken cancellationToken = default) =>
        new S3ArchiveStore(options, credentials, new S3ArchiveLimits()).OpenedAsync(create: true, cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> TryCreateAsync(string name, Stream content, CancellationToken cancellationToken = default)
    {
        string key = KeyOf(name);
        ArgumentNullException.ThrowIfNull(content);
        var source = new SourceContent(content);
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            await ProbeAsync(_upload.HasParts(source.Length), cancellationToken);
            return await TryWriteAsync(key, source, cancellationToken);
        }
        catch (Exception e) when (S3Failure.IsOne(e) || source.Fault is not null)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Failure($"The file '{name}' cannot be made in", source.Fault ?? e);
        }
    }

    /// <inheritdoc/>
    public async Task<int> ReadAsync(string name, long offset, Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        string key = KeyOf(name);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (buffer.Length == 0)
            return await FindAsync(name, cancellationToken) is null ? throw Missing(name, null) : 0;
        try
        {
            return await _retry.RunAsync(_ => ReadOnceAsync(key, offset, buffer, cancellationToken), cancellationToken);
        }
        catch (AmazonS3Exception none) when (none is { StatusCode: HttpStatusCode.NotFound, ErrorCode: "NoSuchKey" })
        {
            await CheckMarkerAsync(name, cancellationToken);
            throw Missing(name, none);
        }
        catch (Exception e) when (S3Failure.IsOne(e))
        {
            throw Failure($"The file '{name}' cannot be read from", e);
        }
    }

    /// <inheritdoc/>
    public async Task<long?> FindAsync(string name, CancellationToken cancellationToken = default)
    {
        string key = KeyOf(name);
        try
        {
            if (await _retry.RunAsync(_ => HeadAsync(key, cancellationToken), cancellationToken) is { } there)
                return there.ContentLength;
        }
        catch (Exception e) when (S3Failure.IsOne(e))
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
            files = await FilesOfAsync(prefix, cancellationToken);
        }
        catch (Exception e) when (S3Failure.IsOne(e))
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
        string key = KeyOf(name);
        try
        {
            await DeleteKeyAsync(key, cancellationToken);
        }
        catch (Exception e) when (S3Failure.IsOne(e))
        {
            throw Failure($"The file '{name}' cannot be deleted from", e);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        _probing.Dispose();
        return ValueTask.CompletedTask;
    }

    internal async Task<S3ArchiveStore> OpenedAsync(bool create, CancellationToken cancellationToken)
    {
        try
        {
            _marker = await ArchiveMarker.ReadAsync(this, cancellationToken);
            if (_marker is null && create)
            {
                using var text = new MemoryStream(ArchiveMarker.Create().ToUtf8());
                await TryCreateAsync(ArchiveMarker.FileName, text, cancellationToken); // or somebody else has: the archive is theirs
                _marker = await ArchiveMarker.ReadAsync(this, cancellationToken);
            }

            if (_marker is null)
                throw ArchiveMarker.Missing(Location);
            return this;
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    private async Task<bool> TryWriteAsync(string key, SourceContent source, CancellationToken cancellationToken)
    {
        string writer = Guid.CreateVersion7().ToString("N");
        return await _retry.RunAsync(async attempt =>
        {
            if (attempt > 1 && await WriterOfAsync(key, cancellationToken) is { } already)
                return already == writer;
            try
            {
                await _upload.RunAsync(key, source, (WriterKey, writer), cancellationToken);
                return true;
            }
            catch (AmazonS3Exception there) when (there.StatusCode == HttpStatusCode.PreconditionFailed)
            {
                string? made = await WriterOfAsync(key, cancellationToken);
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

    private async Task<int> ReadOnceAsync(string key, long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            using GetObjectResponse found = await _client.GetObjectAsync(new GetObjectRequest
            {
                BucketName = _options.Bucket,
                Key = key,
                ByteRange = new ByteRange(offset, offset + buffer.Length - 1),
            }, cancellationToken);
            if (found.HttpStatusCode != HttpStatusCode.PartialContent && offset > 0)
                throw new NotSupportedException("the store gives whole objects where ranges are asked for");
            int wanted = (int)Math.Min(found.ContentLength, buffer.Length);
            int read = await found.ResponseStream.ReadAtLeastAsync(buffer[..wanted], wanted, throwOnEndOfStream: false, cancellationToken);
            return read == wanted ? read : throw new IOException($"the answer ended after {read} bytes of {wanted}");
        }
        catch (AmazonS3Exception behindTheEnd) when (behindTheEnd.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            return 0;
        }
    }

    private async Task<List<ArchiveFile>> FilesOfAsync(string prefix, CancellationToken cancellationToken)
    {
        List<ArchiveFile> files = [];
        string? next = null;
        do
        {
            var request = new ListObjectsV2Request { BucketName = _options.Bucket, Prefix = _prefix + prefix, ContinuationToken = next };
            ListObjectsV2Response page = await _retry.RunAsync(_ => _client.ListObjectsV2Async(request, cancellationToken),
                cancellationToken);
            foreach (S3Object found in page.S3Objects ?? [])
            {
                // What cannot be called so is somebody else's, as the placeholders that consoles make of folders.
                if (ArchiveFileNames.IsName(found.Key[_prefix.Length..]))
                    files.Add(new ArchiveFile(found.Key[_prefix.Length..], found.Size ?? 0));
            }

            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (next is not null);
        files.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name)); // directory buckets have no order
        return files;
    }

    private async Task<GetObjectMetadataResponse?> HeadAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            return await _client.GetObjectMetadataAsync(
                new GetObjectMetadataRequest { BucketName = _options.Bucket, Key = key }, cancellationToken);
        }
        catch (AmazonS3Exception none) when (none.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    private async Task<string?> WriterOfAsync(string key, CancellationToken cancellationToken) =>
        await HeadAsync(key, cancellationToken) is { } there ? there.Metadata[WriterKey] ?? "" : null;

    private async Task DeleteKeyAsync(string key, CancellationToken cancellationToken) =>
        await _retry.RunAsync(_ => _client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = _options.Bucket, Key = key },
            cancellationToken), cancellationToken);

    // A place that looks empty is asked whether it is the archive that was opened. Readers may have no right to write: the probe comes
    // first where something is written.
    private async Task CheckMarkerAsync(string missing, CancellationToken cancellationToken)
    {
        if (_marker is null || missing == ArchiveMarker.FileName)
            return;
        ArchiveMarker there = await ArchiveMarker.ReadAsync(this, cancellationToken) ?? throw ArchiveMarker.Missing(Location);
        if (there.Id != _marker.Id)
            throw new ArchiveNotFoundException($"The archive in {Location} is not there any more: another one is in its place.");
    }

    private async Task ProbeAsync(bool withParts, CancellationToken cancellationToken)
    {
        if (withParts ? _isProbedForParts : _isProbed)
            return;
        await _probing.WaitAsync(cancellationToken);
        try
        {
            if (withParts ? _isProbedForParts : _isProbed)
                return;
            await _upload.ProbeAsync($"{_prefix}{ArchiveFileNames.PartialFolder}/probe-{Guid.CreateVersion7():N}", withParts,
                cancellationToken);
            _isProbed = true;
            _isProbedForParts |= withParts;
        }
        finally
        {
            _probing.Release();
        }
    }

    private string KeyOf(string name) => _prefix + ArchiveFileNames.Check(name);

    private FileNotFoundException Missing(string name, Exception? cause) =>
        new($"There is no file '{name}' in the archive in {Location}.", name, cause);

    private IOException Failure(string what, Exception e) => new($"{what} the archive in {Location}: {S3Failure.Describe(e)}", e);
}
