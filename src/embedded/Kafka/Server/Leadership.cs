using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>Which partitions a node leads, and in which epoch.</summary>
internal interface ILeadership
{
    /// <summary>
    /// Whether the node serves the partition to whom knows its leader by <paramref name="knownEpoch"/> (-1: by none); why not, else.
    /// </summary>
    ErrorCode Check(TopicPartition partition, int knownEpoch = -1);

    /// <summary>The epoch of the leader.</summary>
    int EpochOf(TopicPartition partition);

    /// <summary>Whether as many replicas are in sync as a write that waits for all of them needs.</summary>
    bool HasEnoughReplicas(TopicPartition partition);
}

/// <summary>
/// The one node of a cluster: it leads everything in one epoch, the first. A reader that knows a later one is ahead of us.
/// </summary>
internal sealed class SoleLeader : ILeadership
{
    public ErrorCode Check(TopicPartition partition, int knownEpoch = -1) =>
        knownEpoch > Broker.LeaderEpoch ? ErrorCode.UnknownLeaderEpoch : ErrorCode.None;

    public int EpochOf(TopicPartition partition) => Broker.LeaderEpoch;

    public bool HasEnoughReplicas(TopicPartition partition) => true;
}
