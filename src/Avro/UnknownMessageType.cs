namespace KafkaEventSourcing.Avro;

/// <summary>A message type that is registered for a topic, and that the code does not have there or does not read all schemas of.</summary>
/// <param name="FullName">The name of its record, as its subject has it.</param>
/// <param name="SchemaIds">The ids of those of its schemas whose values cannot be read.</param>
public sealed record UnknownMessageType(string FullName, IReadOnlyList<int> SchemaIds)
{
    /// <summary>Why values of a schema cannot be read, a sentence by its id. Default: none is told.</summary>
    public IReadOnlyDictionary<int, string> Reasons { get; init; } = new Dictionary<int, string>();
}
