using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>OffsetForLeaderEpoch: where an epoch of a leader ends.</summary>
internal sealed class OffsetForLeaderEpochHandler(ILeadership leadership, LedLogs logs)
{
    public OffsetForLeaderEpochResponse Handle(OffsetForLeaderEpochRequest request) => new()
    {
        Topics = request.Topics.ConvertAll(topic => new OffsetForLeaderEpochResponse.TopicItem
        {
            Topic = topic.Topic,
            Partitions = topic.Partitions.ConvertAll(partition =>
            {
                var answer = new OffsetForLeaderEpochResponse.TopicItem.PartitionItem { Partition = partition.Partition };
                var key = new TopicPartition(topic.Topic, partition.Partition);
                UnifiedLog? log = logs.Find(key, out ErrorCode error, partition.CurrentLeaderEpoch);
                answer.ErrorCode = (short)error;
                if (log is null)
                    return answer;
                if (partition.LeaderEpoch == leadership.EpochOf(key))
                    (answer.LeaderEpoch, answer.EndOffset) = (partition.LeaderEpoch, log.LogEndOffset);
                else if (partition.LeaderEpoch < leadership.EpochOf(key))
                    (answer.LeaderEpoch, answer.EndOffset) = log.EndOffsetForEpoch(partition.LeaderEpoch);
                return answer;
            }),
        }),
    };
}
