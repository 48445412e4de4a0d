namespace KafkaEventSourcing.Hosting.Archiving;

/// <summary>Something that events of a partition must have passed before they may leave their topic.</summary>
/// <param name="Name">What it is: <c>archive</c>, <c>snapshots</c>, <c>read model accounts</c>, <c>group bank-audit</c>.</param>
/// <param name="Next">The first offset that it has not passed; null: it has passed none.</param>
public sealed record RetentionMark(string Name, long? Next);

/// <summary>What of a partition is where, and what keeps its events in the topic.</summary>
/// <param name="Partition">The partition.</param>
/// <param name="Start">The first offset that is in the topic.</param>
/// <param name="End">The offset that the next record will have.</param>
/// <param name="Archived">The ranges, records and bytes that are archived.</param>
/// <param name="DueTo">Up to where events are old enough, or too many, to leave the topic; <paramref name="Start"/> or less: none
/// is.</param>
/// <param name="Marks">What they must have passed.</param>
public sealed record PartitionRetention(int Partition, long Start, long End, ArchivedAmount Archived, long DueTo,
    IReadOnlyList<RetentionMark> Marks)
{
    /// <summary>The mark that is behind all others; null: there is none.</summary>
    public RetentionMark? Last => Marks.MinBy(m => m.Next ?? -1);

    /// <summary>What keeps events in the topic that are due to leave it; null: nothing does.</summary>
    public RetentionMark? HeldBackBy => DueTo > Start && Last is { } last && (last.Next ?? 0) < DueTo ? last : null;
}

/// <summary>What is archived of a partition.</summary>
/// <param name="Ranges">How many ranges, a file of records each.</param>
/// <param name="Records">How many records.</param>
/// <param name="RecordBytes">The bytes of their keys, values and headers.</param>
/// <param name="FileBytes">The bytes of the files of records.</param>
/// <param name="TableBytes">The bytes of the tables by event type.</param>
public sealed record ArchivedAmount(int Ranges, long Records, long RecordBytes, long FileBytes, long TableBytes);
