namespace KafkaEventSourcing.EventLog;

/// <summary>What key and headers say of an event; they can be read also when its value cannot.</summary>
/// <param name="AggregateId">The aggregate that it belongs to.</param>
/// <param name="Version">The aggregate's version after it.</param>
/// <param name="Time">When its command was created, UTC.</param>
/// <param name="CommandId">The command that caused it.</param>
/// <param name="CorrelationId">What it is correlated with; null: its headers do not say.</param>
public readonly record struct EventHead(AggregateId AggregateId, long Version, DateTimeOffset Time, CommandId CommandId,
    string? CorrelationId);
