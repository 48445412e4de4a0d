namespace KafkaEventSourcing.EventLog;

/// <summary>
/// A record that could not be processed, or that waits behind one of its aggregate, as the dead-letters topic reports it.
/// </summary>
public sealed record DeadLetter
{
    /// <summary>Where it is in the dead-letters topic.</summary>
    public required string Topic { get; init; }

    /// <summary>The partition, the same as that of its origin.</summary>
    public required int Partition { get; init; }

    /// <summary>The offset; letters of one aggregate are in order by it.</summary>
    public required long Offset { get; init; }

    /// <summary>
    /// The aggregate that is parked; <c>default</c> when the record's key is not an aggregate id: such a record stands alone and holds up
    /// nobody.
    /// </summary>
    public required AggregateId AggregateId { get; init; }

    /// <summary>The id of the command that it is, as its headers say; <c>default</c> when they say none, or it is an event.</summary>
    public CommandId CommandId { get; init; }

    /// <summary>Whether it could be read and only waits behind another.</summary>
    public required bool IsQueued { get; init; }

    /// <summary>A stable name of what is wrong; of one that waits <see cref="DeadLetterFormat.Queued"/>.</summary>
    public required string Cause { get; init; }

    /// <summary>What is wrong, for a person; as of the last retry, if there was one.</summary>
    public required string Message { get; init; }

    /// <summary>The topic that it came from: of commands, or of events.</summary>
    public required string OriginTopic { get; init; }

    /// <summary>The offset that it has there.</summary>
    public required long OriginOffset { get; init; }

    /// <summary>When it was parked, UTC.</summary>
    public required DateTimeOffset ParkedAt { get; init; }

    /// <summary>What became of it; null while it waits.</summary>
    public DeadLetterResolution? Resolution { get; init; }
}

/// <summary>What became of a dead letter.</summary>
/// <param name="IsDiscarded">Whether it was discarded; else it was processed after all.</param>
/// <param name="Outcome">Of one that was processed: the outcome of the command, or <c>Folded</c>.</param>
/// <param name="By">Who asked for it.</param>
/// <param name="Reason">Why it was discarded; null when it was not.</param>
/// <param name="Time">When, UTC.</param>
/// <param name="FoldedTo">Of a record of the events topic that was discarded: the offset of the last event of its aggregate that is folded
/// since; -1: it has none. Null for others.</param>
public sealed record DeadLetterResolution(bool IsDiscarded, string? Outcome, string By, string? Reason, DateTimeOffset Time,
    long? FoldedTo);
