namespace KafkaEventSourcing.Archive.Azure;

/// <summary>Which container an archive is in.</summary>
public sealed record AzureArchiveOptions
{
    /// <summary>The variable of the environment that has a connection string, as Azure's own tools read it.</summary>
    public const string ConnectionStringVariable = "AZURE_STORAGE_CONNECTION_STRING";

    /// <summary>The address of the container, which is there already; it may have a shared access signature.</summary>
    public Uri? ContainerAddress { get; init; }

    /// <summary>The container, where a connection string says the account.</summary>
    public string? Container { get; init; }

    /// <summary>The account and how to prove oneself to it; a secret. Null: <see cref="ConnectionStringVariable"/>.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>
    /// What the names of all blobs begin with, without <c>/</c> before and behind it; empty: the container is the archive's own.
    /// </summary>
    public string Prefix { get; init; } = "";

    /// <summary>How long an attempt may take; the default are five minutes.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The options of <c>azblob://container/prefix</c>, with the connection string of the environment, or of the address of a container:
    /// <c>https://account.blob.core.windows.net/container/prefix?sv=…&amp;sig=…</c>.
    /// </summary>
    /// <exception cref="FormatException">It is not one.</exception>
    public static AzureArchiveOptions From(ArchiveLocation location)
    {
        ArgumentNullException.ThrowIfNull(location);
        if (location.Scheme == AzureArchiveStoreProvider.Scheme)
        {
            location.AllowParameters();
            return new AzureArchiveOptions { Container = location.Authority, Prefix = location.Path };
        }

        string[] path = location.Path.Split('/', 2);
        if (path[0].Length == 0)
            throw new FormatException(
                $"{location} does not name a container: it is https://account.blob.core.windows.net/container/prefix.");
        int question = location.Text.IndexOf('?', StringComparison.Ordinal);
        string signature = question < 0 ? "" : location.Text[question..];
        return new AzureArchiveOptions
        {
            ContainerAddress = new Uri($"{location.Scheme}://{location.Authority}/{path[0]}{signature}"),
            Prefix = path.Length > 1 ? path[1] : "",
        };
    }

    /// <summary>For people, and logs: without secrets.</summary>
    public override string ToString()
    {
        string container = ContainerAddress is { } address ? address.GetLeftPart(UriPartial.Path) : $"azblob://{Container}";
        return Prefix.Length == 0 ? container : $"{container}/{Prefix}";
    }

    internal void Check()
    {
        if (ContainerAddress is null == string.IsNullOrWhiteSpace(Container))
            throw new ArgumentException("An archive in Azure has the address of a container, or its name beside a connection string.");
        if (Prefix.Length > 300 || (Prefix.Length > 0 && !Prefix.Split('/').All(p => ArchiveFileNames.IsPart(p))))
            throw new ArgumentException(
                $"'{Prefix}' cannot be the prefix of an archive: between '/' it has letters, digits and . _ - = alone.");
        if (Timeout <= TimeSpan.Zero || Timeout > TimeSpan.FromDays(1))
            throw new ArgumentException("The timeout of an archive is above zero and at most a day.");
    }
}
