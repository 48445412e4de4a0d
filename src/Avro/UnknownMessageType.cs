namespace KafkaEventSourcing.Avro;

/// <summary>A message type that is registered for a topic and that the code does not have there.</summary>
/// <param name="FullName">The name of its record, as its subject has it.</param>
/// <param name="SchemaIds">The ids of its schemas.</param>
public sealed record UnknownMessageType(string FullName, IReadOnlyList<int> SchemaIds);
