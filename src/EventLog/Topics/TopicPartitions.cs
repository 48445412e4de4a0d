using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Which partitions a topic has. Brokers learn of a new topic one after the other: one that does not know it yet, or that goes while it is
/// asked, is asked again for a while.
/// </summary>
public static class TopicPartitions
{
    /// <summary>The partitions of <paramref name="topic"/>; blocks.</summary>
    /// <param name="admin">A client of the cluster; it must not create topics that it asks for.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="patience">How long to ask.</param>
    /// <exception cref="KafkaException">The cluster does not answer, or does not have the topic; the error's reason names the
    /// topic.</exception>
    public static IReadOnlyList<int> Of(IAdminClient admin, string topic, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(admin);
        var left = new KafkaPatience(patience, TimeProvider.System);
        while (true)
        {
            Error error;
            try
            {
                TopicMetadata metadata = admin.GetMetadata(topic, left.Attempt).Topics[0];
                if (!metadata.Error.IsError)
                    return [.. metadata.Partitions.Select(p => p.PartitionId)];
                error = metadata.Error;
            }
            catch (KafkaException unanswered)
            {
                error = unanswered.Error;
            }

            if (!left.Outlasts(error))
                throw new KafkaException(new Error(error.Code, $"The partitions of the topic {topic} cannot be read: {error.Reason}",
                    error.IsFatal));
            left.Wait(CancellationToken.None);
        }
    }
}
