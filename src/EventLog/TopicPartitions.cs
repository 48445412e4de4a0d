using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>Which partitions a topic has. Brokers learn of a new topic one after the other: one that does not know it yet is asked again for a while.</summary>
public static class TopicPartitions
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(50);

    /// <summary>The partitions of <paramref name="topic"/>; blocks.</summary>
    /// <param name="admin">A client of the cluster; it must not create topics that it asks for.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="patience">How long to ask.</param>
    /// <exception cref="KafkaException">The cluster does not answer, or has not the topic.</exception>
    public static IReadOnlyList<int> Of(IAdminClient admin, string topic, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(admin);
        long started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            TopicMetadata metadata = admin.GetMetadata(topic, patience).Topics[0];
            if (!metadata.Error.IsError)
                return [.. metadata.Partitions.Select(p => p.PartitionId)];
            if (metadata.Error.Code is not (ErrorCode.UnknownTopicOrPart or ErrorCode.LeaderNotAvailable) || TimeProvider.System.GetElapsedTime(started) > patience)
                throw new KafkaException(metadata.Error);
            Task.Delay(Look, TimeProvider.System).GetAwaiter().GetResult(); // callers have a thread for what blocks
        }
    }
}
