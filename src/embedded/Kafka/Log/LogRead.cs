using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>What a read found. Records are whole batches.</summary>
internal readonly record struct LogRead(
    ErrorCode Error, Memory<byte> Records, long HighWatermark, long LastStableOffset, long LogStartOffset,
    IReadOnlyList<AbortedTransaction>? Aborted);
