namespace KafkaEventSourcing.Embedded.Kafka.Protocol;

/// <summary>Bytes that are not message of their kind. The connection that sent them is closed.</summary>
internal sealed class MalformedRequestException(string message) : Exception(message);
