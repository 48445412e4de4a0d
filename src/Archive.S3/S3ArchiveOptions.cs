namespace KafkaEventSourcing.Archive.S3;

/// <summary>Which bucket an archive is in. Credentials come from elsewhere: the SDK's own chain, or the caller's.</summary>
public sealed record S3ArchiveOptions
{
    /// <summary>The bucket, which is there already.</summary>
    public required string Bucket { get; init; }

    /// <summary>
    /// What the names of all objects begin with, without <c>/</c> before and behind it; empty: the bucket is the archive's own.
    /// </summary>
    public string Prefix { get; init; } = "";

    /// <summary>
    /// The region, as <c>eu-central-1</c>; null: the one of the environment or the profile, and with an endpoint <c>us-east-1</c>.
    /// </summary>
    public string? Region { get; init; }

    /// <summary>The address of a store that speaks S3; null: that of AWS.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>
    /// Whether the bucket is in the path and not in the name of the host; null: where there is an <see cref="Endpoint"/>.
    /// </summary>
    public bool? PathStyle { get; init; }

    /// <summary>How long an attempt may take; the default are five minutes.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The options of a URL such as <c>s3://bucket/prefix?region=eu-central-1&amp;endpoint=https://s3.example.com&amp;pathStyle=true</c>.
    /// </summary>
    /// <exception cref="FormatException">It is not one.</exception>
    public static S3ArchiveOptions From(ArchiveLocation location)
    {
        ArgumentNullException.ThrowIfNull(location);
        location.AllowParameters("region", "endpoint", "pathStyle");
        Uri? endpoint = null;
        if (location.Parameters.TryGetValue("endpoint", out string? address) && !IsEndpoint(address, out endpoint))
            throw new FormatException($"The endpoint of {location} is not one: it is http or https, a host and perhaps a port.");
        return new S3ArchiveOptions
        {
            Bucket = location.Authority,
            Prefix = location.Path,
            Region = location.Parameters.GetValueOrDefault("region"),
            Endpoint = endpoint,
            PathStyle = location.Flag("pathStyle"),
        };
    }

    internal void Check()
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(Bucket);
        if (Prefix.Length > 300 || (Prefix.Length > 0 && !Prefix.Split('/').All(p => ArchiveFileNames.IsPart(p))))
            throw new ArgumentException(
                $"'{Prefix}' cannot be the prefix of an archive: between '/' it has letters, digits and . _ - = alone.");
        if (Endpoint is not null && !IsEndpoint(Endpoint.OriginalString, out _))
            throw new ArgumentException("The endpoint of an archive is http or https, a host and perhaps a port.");
        if (Timeout <= TimeSpan.Zero || Timeout > TimeSpan.FromDays(1))
            throw new ArgumentException("The timeout of an archive is above zero and at most a day.");
    }

    private static bool IsEndpoint(string address, out Uri? endpoint) =>
        Uri.TryCreate(address, UriKind.Absolute, out endpoint) && endpoint.Scheme is ("http" or "https")
            && endpoint is { Query: "", Fragment: "", UserInfo: "", AbsolutePath: "/" };
}
