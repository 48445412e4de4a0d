namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>Who asks, in which version of the API.</summary>
internal sealed record RequestContext(string ClientId, string ClientHost, short Version, string User = "ANONYMOUS");
