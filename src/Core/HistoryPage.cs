namespace KafkaEventSourcing;

/// <summary>A part of the history of an aggregate.</summary>
/// <param name="AggregateId">The aggregate.</param>
/// <param name="Version">Its version when it was read.</param>
/// <param name="Token">The position of its last event then.</param>
/// <param name="Entries">The events that were asked for, in that order, without gap.</param>
/// <param name="Next">The version that the next page begins with, in the same order; null: this is the last.</param>
public sealed record HistoryPage(AggregateId AggregateId, long Version, ConsistencyToken Token, IReadOnlyList<HistoryEntry> Entries,
    long? Next);

/// <summary>One version of an aggregate: an event of the log.</summary>
/// <param name="Version">The aggregate's version after it.</param>
/// <param name="Token">Its position.</param>
/// <param name="Time">When its command was created, UTC.</param>
/// <param name="CommandId">The command that caused it.</param>
/// <param name="CorrelationId">What it is correlated with; null: its headers do not say.</param>
/// <param name="IsDiscarded">Whether an operator has discarded it: it kept its version and does nothing.</param>
/// <param name="Events">What it is read as: one event nearly always; several or none where it is upcast to them, none where its type is
/// withdrawn or it is discarded.</param>
public sealed record HistoryEntry(long Version, ConsistencyToken Token, DateTimeOffset Time, CommandId CommandId, string? CorrelationId,
    bool IsDiscarded, IReadOnlyList<RecordedEvent> Events);
