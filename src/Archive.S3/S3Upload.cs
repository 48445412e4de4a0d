using System.Net;
using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;

namespace KafkaEventSourcing.Archive.S3;

/// <summary>
/// Makes objects where there are none, with their SHA-256 for the store to check: in one request, or in parts. Thread-safe.
/// </summary>
internal sealed class S3Upload(AmazonS3Client client, string bucket, S3ArchiveLimits limits, StoreRetry retry)
{
    private const string AnyObject = "*";
    private const int MostParts = 10_000;

    /// <summary>Whether so many bytes are sent in parts.</summary>
    public bool HasParts(long length) => length > limits.LargestPut;

    /// <summary>Makes an object.</summary>
    /// <exception cref="AmazonS3Exception">With 412: there is one.</exception>
    public Task RunAsync(string key, SourceContent source, (string Key, string Value) metadata, CancellationToken cancellationToken) =>
        HasParts(source.Length)
            ? PutPartsAsync(key, source, metadata, Math.Max(limits.PartBytes, (source.Length + MostParts - 1) / MostParts),
                cancellationToken)
            : PutAsync(key, source, metadata, cancellationToken);

    /// <summary>Sees to it that the store keeps to conditions: an object that is made a second time must be refused.</summary>
    /// <exception cref="IOException">It does not.</exception>
    public async Task ProbeAsync(string key, bool withParts, CancellationToken cancellationToken)
    {
        var source = new SourceContent(new MemoryStream("probe"u8.ToArray()));
        if (!await IsRefusedAsync(() => PutAsync(key, source, null, cancellationToken), cancellationToken)
            && !await IsRefusedAsync(() => PutAsync(key, source, null, cancellationToken), cancellationToken))
        {
            await RemoveAsync(key, cancellationToken);
            throw Unconditional("PutObject");
        }

        if (withParts
            && !await IsRefusedAsync(() => PutPartsAsync(key, source, null, limits.PartBytes, cancellationToken), cancellationToken))
        {
            await RemoveAsync(key, cancellationToken);
            throw Unconditional("CompleteMultipartUpload");
        }

        await RemoveAsync(key, cancellationToken);
    }

    private static IOException Unconditional(string call) => new(
        $"The store takes no notice of 'If-None-Match: *' in {call}: two writers could replace each other's files. An archive "
            + "needs a store with conditional writes, as those of AWS, MinIO and Ceph.");

    // The first of the probe is not refused, unless an attempt before was stored and not answered.
    private async Task<bool> IsRefusedAsync(Func<Task> put, CancellationToken cancellationToken)
    {
        return await retry.RunAsync(async _ =>
        {
            try
            {
                await put();
                return false;
            }
            catch (AmazonS3Exception there) when (there.StatusCode == HttpStatusCode.PreconditionFailed)
            {
                return true;
            }
            catch (AmazonS3Exception unknown) when (unknown.StatusCode == HttpStatusCode.NotImplemented)
            {
                return false;
            }
        }, cancellationToken);
    }

    private async Task RemoveAsync(string key, CancellationToken cancellationToken) => await retry.RunAsync(_ =>
        client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = bucket, Key = key }, cancellationToken), cancellationToken);

    private async Task PutAsync(
        string key, SourceContent source, (string Key, string Value)? metadata, CancellationToken cancellationToken)
    {
        using Stream body = source.Open(0, source.Length);
        var request = new PutObjectRequest
        {
            BucketName = bucket,
            Key = key,
            InputStream = body,
            AutoCloseStream = false,
            UseChunkEncoding = false, // stores other than AWS's may keep the frames as content
            IfNoneMatch = AnyObject,
            ChecksumSHA256 = await HashAsync(body, cancellationToken),
        };
        if (metadata is { } entry)
            request.Metadata.Add(entry.Key, entry.Value);
        await client.PutObjectAsync(request, cancellationToken);
    }

    private async Task PutPartsAsync(
        string key, SourceContent source, (string Key, string Value)? metadata, long partBytes, CancellationToken cancellationToken)
    {
        var begin = new InitiateMultipartUploadRequest { BucketName = bucket, Key = key, ChecksumAlgorithm = ChecksumAlgorithm.SHA256 };
        if (metadata is { } entry)
            begin.Metadata.Add(entry.Key, entry.Value);
        string id = (await client.InitiateMultipartUploadAsync(begin, cancellationToken)).UploadId;
        try
        {
            List<PartETag> parts = [];
            for (long offset = 0; offset < source.Length; offset += partBytes)
                parts.Add(await PutPartAsync(key, id, source, offset, partBytes, parts.Count + 1, cancellationToken));
            await client.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest
            {
                BucketName = bucket,
                Key = key,
                UploadId = id,
                PartETags = parts,
                IfNoneMatch = AnyObject,
            }, cancellationToken);
        }
        catch
        {
            await AbortAsync(key, id);
            throw;
        }
    }

    private async Task<PartETag> PutPartAsync(
        string key, string id, SourceContent source, long offset, long partBytes, int number, CancellationToken cancellationToken)
    {
        long length = Math.Min(partBytes, source.Length - offset);
        using Stream part = source.Open(offset, length);
        string hash = await HashAsync(part, cancellationToken);
        try
        {
            return await retry.RunAsync(async _ =>
            {
                part.Position = 0;
                UploadPartResponse sent = await client.UploadPartAsync(new UploadPartRequest
                {
                    BucketName = bucket,
                    Key = key,
                    UploadId = id,
                    PartNumber = number,
                    PartSize = length,
                    InputStream = part,
                    UseChunkEncoding = false,
                    ChecksumAlgorithm = ChecksumAlgorithm.SHA256,
                    ChecksumSHA256 = hash,
                }, cancellationToken);
                return new PartETag { PartNumber = number, ETag = sent.ETag, ChecksumSHA256 = hash };
            }, cancellationToken);
        }
        catch (Exception e) when (S3Failure.IsOne(e) && S3Failure.MayPass(e))
        {
            throw new S3PartFailedException(e);
        }
    }

    // What is left of an upload costs, and is not seen: a rule of the bucket ends what this cannot.
    private async Task AbortAsync(string key, string id)
    {
        try
        {
            await client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = bucket, Key = key, UploadId = id });
        }
        catch (Exception e) when (S3Failure.IsOne(e))
        {
            // What made the upload fail is what the caller is told.
        }
    }

    private static async Task<string> HashAsync(Stream content, CancellationToken cancellationToken)
    {
        content.Position = 0;
        string hash = Convert.ToBase64String(await SHA256.HashDataAsync(content, cancellationToken));
        content.Position = 0;
        return hash;
    }
}
