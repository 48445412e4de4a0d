using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>DescribeQuorum: that of a node that is its own controller.</summary>
internal sealed class DescribeQuorumHandler(Broker broker)
{
    /// <summary>
    /// The quorum of a node that is its own controller. There is no log of metadata here: the changes of topics are counted in its place.
    /// </summary>
    public DescribeQuorumResponse Handle(DescribeQuorumRequest request)
    {
        const string metadata = "__cluster_metadata";
        long now = broker.Time.GetUtcNow().ToUnixTimeMilliseconds();
        return new DescribeQuorumResponse
        {
            Topics = request.Topics.ConvertAll(topic => new DescribeQuorumResponse.TopicItem
            {
                TopicName = topic.TopicName,
                Partitions = topic.Partitions.ConvertAll(partition => topic.TopicName != metadata || partition.PartitionIndex != 0
                    ? new DescribeQuorumResponse.TopicItem.PartitionItem
                    {
                        PartitionIndex = partition.PartitionIndex, ErrorCode = (short)ErrorCode.UnknownTopicOrPartition, LeaderId = -1,
                    }
                    : new DescribeQuorumResponse.TopicItem.PartitionItem
                    {
                        LeaderId = broker.NodeId,
                        LeaderEpoch = Broker.LeaderEpoch,
                        HighWatermark = broker.Topics.Version,
                        CurrentVoters = [new()
                        {
                            ReplicaId = broker.NodeId,
                            LogEndOffset = broker.Topics.Version,
                            LastFetchTimestamp = now,
                            LastCaughtUpTimestamp = now,
                        }],
                    }),
            }),
            Nodes = [new()
            {
                NodeId = broker.NodeId,
                Listeners = [new() { Name = broker.ListenerName, Host = broker.Host, Port = (ushort)broker.Port }],
            }],
        };
    }
}
