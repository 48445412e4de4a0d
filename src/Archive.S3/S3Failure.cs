using System.Net;
using Amazon.Runtime;
using Amazon.S3;

namespace KafkaEventSourcing.Archive.S3;

/// <summary>What fails when one talks to S3: what may pass, and what is said of it.</summary>
internal static class S3Failure
{
    /// <summary>Whether it is a failure of the place, and not a mistake of the caller or the end of the call.</summary>
    public static bool IsOne(Exception e) => e is AmazonServiceException or AmazonClientException or HttpRequestException
        or TimeoutException
        or NotSupportedException or (IOException and not (FileNotFoundException or ArchiveNotFoundException))
        || e is OperationCanceledException { CancellationToken.IsCancellationRequested: false };

    /// <summary>Whether the same call may succeed a little later.</summary>
    public static bool MayPass(Exception e) => e switch
    {
        S3PartFailedException or ArchiveNotFoundException or FileNotFoundException => false,
        AmazonS3Exception { ErrorCode: "NoSuchUpload" or "BadDigest" or "XAmzContentSHA256Mismatch" or "IncompleteBody"
            or "RequestTimeout" } => true,
        AmazonServiceException { StatusCode: 0 } => true, // there was no answer
        AmazonServiceException answered =>
            answered.StatusCode is >= HttpStatusCode.InternalServerError and not HttpStatusCode.NotImplemented
            or HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests
            or HttpStatusCode.Conflict // two made one name at the same time, says S3: one of them may try again
            or HttpStatusCode.PreconditionFailed, // of a file that is gone since: see S3ArchiveStore
        HttpRequestException or TimeoutException or IOException or OperationCanceledException => true,
        _ => false,
    };

    /// <summary>What is wrong, in words; never with credentials.</summary>
    public static string Describe(Exception e) => e switch
    {
        S3PartFailedException part => Describe(part.InnerException!),
        AmazonS3Exception { ErrorCode: "AccessDenied" or "Forbidden" } or AmazonS3Exception { StatusCode: HttpStatusCode.Forbidden } =>
            $"{e.Message} (403). The credentials need s3:GetObject and s3:ListBucket to read, s3:PutObject and s3:AbortMultipartUpload to "
                + "write, and s3:DeleteObject to remove.",
        AmazonS3Exception { ErrorCode: "NoSuchBucket" } => "There is no such bucket. It is not made by itself.",
        AmazonS3Exception { ErrorCode: "PermanentRedirect" or "AuthorizationHeaderMalformed" } =>
            $"{e.Message} The bucket is in another region: name it, as in ?region=eu-central-1.",
        // An answer without a body, as those to HEAD: the SDK makes a code of the status.
        AmazonServiceException { StatusCode: not 0 } silent when silent.ErrorCode == silent.StatusCode.ToString() =>
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"The store answered {(int)silent.StatusCode}, and not why."),
        AmazonServiceException { StatusCode: not 0 } answered =>
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{answered.Message} ({(int)answered.StatusCode})"),
        OperationCanceledException => "It took too long.",
        _ => e.InnerException is { } inner && !e.Message.Contains(inner.Message, StringComparison.Ordinal)
            ? $"{e.Message} ({inner.Message})"
            : e.Message,
    };
}

/// <summary>A part could not be sent, however often it was tried: the whole is not tried again.</summary>
internal sealed class S3PartFailedException(Exception failure) : IOException(failure.Message, failure);
