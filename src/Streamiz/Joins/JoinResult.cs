using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A result of a join.</summary>
/// <param name="Value">The result; null: a tombstone.</param>
internal sealed record JoinResult(IAvroRecord? Value);
