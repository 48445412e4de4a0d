using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>What became of an append.</summary>
internal readonly record struct AppendResult(
    ErrorCode Error, long BaseOffset = -1, long LogAppendTime = -1, string? Message = null,
    IReadOnlyList<RecordError>? RecordErrors = null);
