namespace KafkaEventSourcing.Archive;

/// <summary>
/// What the next range of a partition will be, before any file of it is written: whoever begins it, and whoever goes on after a crash,
/// makes the same files under the same names.
/// </summary>
internal sealed record RangePlan
{
    /// <summary>The version of plans and files that is written.</summary>
    public const int CurrentFormat = 1;

    /// <summary>The version of this plan.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>Kafka's id of the topic; empty where the cluster has none.</summary>
    public required string TopicId { get; init; }

    /// <summary>The first offset.</summary>
    public required long Start { get; init; }

    /// <summary>The first offset behind it.</summary>
    public required long End { get; init; }

    /// <summary>How the tables of event types are divided.</summary>
    public required ArchiveDates Dates { get; init; }
}
