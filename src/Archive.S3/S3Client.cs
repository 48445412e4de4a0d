using Amazon;
using Amazon.Runtime;
using Amazon.S3;

namespace KafkaEventSourcing.Archive.S3;

/// <summary>Makes clients of the SDK for one bucket.</summary>
internal static class S3Client
{
    /// <exception cref="IOException">Nothing says which region the bucket is in.</exception>
    public static AmazonS3Client Create(S3ArchiveOptions options, AWSCredentials? credentials, string location)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle ?? options.Endpoint is not null,
            MaxErrorRetry = 0, // see StoreRetry
            Timeout = options.Timeout,
            // Checksums are given with each request, which stores other than AWS's take better than those that the SDK puts behind a body.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        if (options.Endpoint is { } endpoint)
        {
            config.ServiceURL = endpoint.GetLeftPart(UriPartial.Authority);
            config.AuthenticationRegion = options.Region ?? "us-east-1";
        }
        else if (options.Region is { } region)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        }
        else if (config.RegionEndpoint is null)
        {
            throw new IOException($"The region of {location} is not known. Name it, as in ?region=eu-central-1, or set AWS_REGION.");
        }

        return credentials is null ? new AmazonS3Client(config) : new AmazonS3Client(credentials, config);
    }
}
