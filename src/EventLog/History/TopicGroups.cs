using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.EventLog;

/// <summary>The consumer groups that read a topic, whoever they are of.</summary>
internal static class TopicGroups
{
    /// <summary>
    /// The offsets that the groups of the cluster would read next in <paramref name="partitions"/>, by group; those alone that have
    /// committed any. It blocks.
    /// </summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<TopicPartition, long>> Committed(IAdminClient admin,
        IReadOnlyCollection<TopicPartition> partitions, TimeSpan timeout, CancellationToken cancellationToken)
    {
        ListConsumerGroupsResult groups = admin.ListConsumerGroupsAsync(new ListConsumerGroupsOptions { RequestTimeout = timeout })
            .GetAwaiter().GetResult();
        var committed = new SortedDictionary<string, IReadOnlyDictionary<TopicPartition, long>>(StringComparer.Ordinal);
        foreach (string group in groups.Valid.Select(g => g.GroupId))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (GroupOffsets.Of(admin, group, partitions, timeout) is { Count: > 0 } offsets)
                committed[group] = offsets;
        }

        return committed;
    }
}
