namespace KafkaEventSourcing.EventLog;

/// <summary>How a subscription reads.</summary>
public sealed record EventSubscriptionOptions
{
    /// <summary>The consumer group that shares the partitions; positions come from the subscriber, never from Kafka.</summary>
    public required string GroupId { get; init; }

    /// <summary>The most events of one batch. Default 10,000.</summary>
    public int MaxBatchEvents { get; init; } = 10_000;

    /// <summary>The most bytes of one partition that wait to be handed over; beyond it the partition pauses. Default 16 MiB.</summary>
    public long MaxWaitingBytes { get; init; } = 16 * 1024 * 1024;
}
