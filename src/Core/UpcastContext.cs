namespace KafkaEventSourcing;

/// <summary>What an upcast is told besides the old event: what never changes of it.</summary>
/// <param name="AggregateId">The aggregate that the event belongs to.</param>
/// <param name="Version">The aggregate's version after the event. All that it is upcast to has that version.</param>
/// <param name="Time">When the command that caused the event was created, UTC.</param>
public readonly record struct UpcastContext(AggregateId AggregateId, long Version, DateTimeOffset Time);
