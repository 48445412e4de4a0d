using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.EventLog;

/// <summary>What a consumer group has committed, seen from outside: the group is not joined.</summary>
internal static class GroupOffsets
{
    /// <summary>The offsets that <paramref name="group"/> would read next, where it has committed any; blocks.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public static IReadOnlyDictionary<TopicPartition, long> Of(IAdminClient admin, string group,
        IReadOnlyCollection<TopicPartition> partitions, TimeSpan timeout)
    {
        if (partitions.Count == 0)
            return new Dictionary<TopicPartition, long>();
        try
        {
            List<ListConsumerGroupOffsetsResult> offsets = admin.ListConsumerGroupOffsetsAsync(
                [new ConsumerGroupTopicPartitions(group, [.. partitions])],
                new ListConsumerGroupOffsetsOptions { RequestTimeout = timeout }).GetAwaiter().GetResult();
            return offsets[0].Partitions.Where(p => p.Error.Code == ErrorCode.NoError && p.Offset.Value >= 0)
                .ToDictionary(p => p.TopicPartition, p => p.Offset.Value);
        }
        catch (ListConsumerGroupOffsetsException none) when (none.Results.All(r => r.Error.Code is ErrorCode.GroupIdNotFound
            or ErrorCode.NoError))
        {
            return new Dictionary<TopicPartition, long>();
        }
    }
}
