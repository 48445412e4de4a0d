using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>What a coordinator decided: a record of its topic. A null value is a tombstone: compaction removes the key.</summary>
internal readonly record struct CoordinatorRecord(IKafkaRecord Key, IKafkaRecord? Value);
