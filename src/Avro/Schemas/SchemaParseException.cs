namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>A text that is not an Avro schema.</summary>
internal sealed class SchemaParseException(string message, Exception? inner = null) : Exception(message, inner);
