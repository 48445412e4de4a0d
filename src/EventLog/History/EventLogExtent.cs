namespace KafkaEventSourcing.EventLog;

/// <summary>Which log an events topic is, and how far it reaches.</summary>
/// <param name="TopicId">Kafka's id of the topic (KIP-516), which another topic of the same name does not have; null where the cluster has
/// none.</param>
/// <param name="Partitions">The extent of each partition.</param>
public sealed record EventLogExtent(string? TopicId, IReadOnlyDictionary<int, PartitionExtent> Partitions);

/// <summary>What a partition holds.</summary>
/// <param name="Start">The first offset that can still be read, be it in the topic or in its archive.</param>
/// <param name="End">The offset that the next record will have.</param>
public readonly record struct PartitionExtent(long Start, long End);

/// <summary>Tells which log the events are in.</summary>
public interface IEventLogExtents
{
    /// <summary>The extent at the time of the call.</summary>
    /// <exception cref="Confluent.Kafka.KafkaException">The cluster does not answer, or the topic is gone.</exception>
    Task<EventLogExtent> ExtentAsync(CancellationToken cancellationToken = default);
}
