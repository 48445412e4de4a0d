namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>Who asks.</summary>
internal sealed record RequestContext(string ClientId, string ClientHost);
