namespace KafkaEventSourcing.Streamiz;

/// <summary>What an <see cref="EventStreamsVerifier"/> found.</summary>
public sealed record EventStreamsReport
{
    /// <summary>Snapshots compared with the fold of the events up to their version.</summary>
    public required long Snapshots { get; init; }

    /// <summary>Totals compared with what the events up to their offsets add up to.</summary>
    public required long Totals { get; init; }

    /// <summary>Records of topics per event type compared with the events.</summary>
    public required long TypedEvents { get; init; }

    /// <summary>Results of joins compared with the states of both sides; 0 while the streams are behind.</summary>
    public required long Joined { get; init; }

    /// <summary>
    /// Records of topics per event type that are there again: streams that are not exactly-once write some twice after a crash.
    /// </summary>
    public required long Repeats { get; init; }

    /// <summary>How many partitions the streams have not read to the end.</summary>
    public required int PartitionsBehind { get; init; }

    /// <summary>How many differences there are.</summary>
    public required long DifferenceCount { get; init; }

    /// <summary>The first of them, in words.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    /// <summary>Whether all that the streams have written is what the events that they have read give.</summary>
    public bool IsConsistent => DifferenceCount == 0;
}
