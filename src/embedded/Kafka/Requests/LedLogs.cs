using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>The logs of the partitions that this node leads.</summary>
internal sealed class LedLogs(Broker broker, ILeadership leadership)
{
    /// <summary>The log of a partition that this node leads, or why it does not serve it.</summary>
    public UnifiedLog? Find(TopicPartition partition, out ErrorCode error, int knownEpoch = -1)
    {
        UnifiedLog? log = broker.Logs.Get(partition);
        error = log is null ? ErrorCode.UnknownTopicOrPartition : leadership.Check(partition, knownEpoch);
        return error == ErrorCode.None ? log : null;
    }
}
