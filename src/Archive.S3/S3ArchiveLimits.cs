namespace KafkaEventSourcing.Archive.S3;

/// <summary>What of talking to S3 is the same for everybody, but for tests.</summary>
internal sealed record S3ArchiveLimits
{
    /// <summary>How often a call is tried.</summary>
    public int Attempts { get; init; } = 7;

    /// <summary>How long it is before the second attempt, about.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Files of more bytes are sent in parts.</summary>
    public long LargestPut { get; init; } = 64 * 1024 * 1024;

    /// <summary>How many bytes a part has, at least: S3 takes no fewer than 5 MiB, but for the last.</summary>
    public long PartBytes { get; init; } = 16 * 1024 * 1024;
}
