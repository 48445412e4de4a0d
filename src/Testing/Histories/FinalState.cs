namespace KafkaEventSourcing.Testing;

/// <summary>An aggregate at the end of a history, folded from its events.</summary>
/// <param name="AggregateId">The aggregate.</param>
/// <param name="Version">Its last version.</param>
/// <param name="State">The fold of all its events.</param>
/// <param name="Events">Its events, in the order of their versions.</param>
public sealed record FinalState(AggregateId AggregateId, long Version, object State, IReadOnlyList<RecordedEvent> Events);
