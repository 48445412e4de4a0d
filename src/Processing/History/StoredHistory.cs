using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>A page of an aggregate's events as they are in the log.</summary>
/// <param name="Version">The aggregate's version.</param>
/// <param name="LastOffset">The offset of its last event.</param>
/// <param name="Events">The events, in the order that was asked for.</param>
/// <param name="Next">The version that the next page begins with; null: this is the last.</param>
internal sealed record StoredHistory(long Version, long LastOffset, IReadOnlyList<StoredHistoryEvent> Events, long? Next);

/// <summary>One of them.</summary>
/// <param name="Head">What its headers say.</param>
/// <param name="Offset">Its offset in the partition.</param>
/// <param name="Value">Its value.</param>
/// <param name="IsDiscarded">Whether an operator has discarded it.</param>
internal sealed record StoredHistoryEvent(EventHead Head, long Offset, byte[] Value, bool IsDiscarded);
