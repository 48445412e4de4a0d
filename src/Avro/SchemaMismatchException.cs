namespace KafkaEventSourcing.Avro;

/// <summary>A value of another schema that ours has no value for, such as a symbol that it does not have.</summary>
internal sealed class SchemaMismatchException(string message) : Exception(message);
