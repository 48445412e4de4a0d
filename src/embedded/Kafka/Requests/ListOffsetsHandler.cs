using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Requests;

/// <summary>ListOffsets: the ends of logs, and records by their time.</summary>
internal sealed class ListOffsetsHandler(ILeadership leadership, LedLogs logs)
{
    private const long LatestTimestamp = -1;
    private const long EarliestTimestamp = -2;
    private const long MaxTimestamp = -3;
    private const long EarliestLocalTimestamp = -4;
    private const long LatestTieredTimestamp = -5;
    private const long EarliestPendingUploadTimestamp = -6;

    public ListOffsetsResponse Handle(ListOffsetsRequest request) => new()
    {
        Topics = request.Topics.ConvertAll(topic => new ListOffsetsResponse.TopicItem
        {
            Name = topic.Name,
            Partitions = topic.Partitions.ConvertAll(partition =>
            {
                var answer = new ListOffsetsResponse.TopicItem.PartitionItem { PartitionIndex = partition.PartitionIndex };
                var key = new TopicPartition(topic.Name, partition.PartitionIndex);
                if (logs.Find(key, out ErrorCode error, partition.CurrentLeaderEpoch) is not { } log)
                {
                    answer.ErrorCode = (short)error;
                    return answer;
                }

                long end = request.IsolationLevel == 1 ? log.LastStableOffset : log.LogEndOffset;
                (long Offset, long Timestamp)? found = partition.Timestamp switch
                {
                    LatestTimestamp => (end, -1),
                    EarliestTimestamp or EarliestLocalTimestamp => (log.LogStartOffset, -1),
                    LatestTieredTimestamp or EarliestPendingUploadTimestamp => null,
                    MaxTimestamp => Before(end, log.MaxTimestamp()),
                    _ => Before(end, log.OffsetForTimestamp(partition.Timestamp)),
                };
                (answer.Offset, answer.Timestamp) = found ?? (-1, -1);
                answer.LeaderEpoch = found is null ? -1 : leadership.EpochOf(key);
                answer.OldStyleOffsets = found is { } old ? [old.Offset] : [];
                return answer;
            }),
        }),
    };

    // What was found by its time counts only before the offset up to which the client may read.
    private static (long Offset, long Timestamp)? Before(long end, (long Offset, long Timestamp)? found) =>
        found?.Offset < end ? found : null;
}
