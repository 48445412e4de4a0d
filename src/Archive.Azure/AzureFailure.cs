using Azure;

namespace KafkaEventSourcing.Archive.Azure;

/// <summary>What fails when one talks to Azure: what may pass, and what is said of it.</summary>
internal static class AzureFailure
{
    /// <summary>Whether it is a failure of the place, and not a mistake of the caller or the end of the call.</summary>
    public static bool IsOne(Exception e) => e is RequestFailedException or HttpRequestException or TimeoutException or AggregateException
        or (IOException and not (FileNotFoundException or ArchiveNotFoundException))
        || e is OperationCanceledException { CancellationToken.IsCancellationRequested: false };

    /// <summary>Whether the same call may succeed a little later.</summary>
    public static bool MayPass(Exception e) => e switch
    {
        ArchiveNotFoundException or FileNotFoundException => false,
        RequestFailedException { Status: 0 or 408 or 429 } => true,
        RequestFailedException answered => answered.Status is >= 500 and not 501
            || IsThere(answered), // of a file that is gone since: see AzureArchiveStore
        HttpRequestException or TimeoutException or IOException or OperationCanceledException or AggregateException => true,
        _ => false,
    };

    /// <summary>Whether a blob was not made because there is one.</summary>
    public static bool IsThere(RequestFailedException e) => e.Status is 409 or 412
        && e.ErrorCode is "BlobAlreadyExists" or "ConditionNotMet" or "UnauthorizedBlobOverwrite";

    /// <summary>What is wrong, in words; never with credentials.</summary>
    public static string Describe(Exception e) => e switch
    {
        RequestFailedException { Status: 404, ErrorCode: "ContainerNotFound" } => "There is no such container. It is not made by itself.",
        RequestFailedException { Status: 401 or 403 } denied =>
            $"{denied.ErrorCode ?? "Access denied"} ({denied.Status}). The credentials need to read, list, create, write and delete blobs.",
        RequestFailedException { Status: not 0 } answered =>
            string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{answered.ErrorCode} ({answered.Status})."),
        OperationCanceledException => "It took too long.",
        _ => e.Message,
    };
}
