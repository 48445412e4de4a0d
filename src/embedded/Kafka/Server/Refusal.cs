using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>Why something that was asked for is not done, as Kafka answers it.</summary>
internal sealed record Refusal(ErrorCode Error, string Message);
