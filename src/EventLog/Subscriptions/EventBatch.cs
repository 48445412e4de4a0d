namespace KafkaEventSourcing.EventLog;

/// <summary>The next events of one partition.</summary>
/// <param name="Partition">The event partition.</param>
/// <param name="FromOffset">Where the batch begins: the <paramref name="NextOffset"/> of the one before it, or where reading began. Every
/// event from here on is in it.</param>
/// <param name="Events">The events, in offset order; none when only transaction markers, or events that are read as none, were passed. Of
/// an event that is upcast to several, all are in one batch.</param>
/// <param name="NextOffset">The position behind them, transaction markers included.</param>
public sealed record EventBatch(int Partition, long FromOffset, IReadOnlyList<RecordedEvent> Events, long NextOffset);
