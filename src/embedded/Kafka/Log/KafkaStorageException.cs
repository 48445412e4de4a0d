namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>A coordinator's records cannot be written at present, as on a full disk: nothing of what was decided has happened.</summary>
internal sealed class KafkaStorageException(string message) : IOException(message);
