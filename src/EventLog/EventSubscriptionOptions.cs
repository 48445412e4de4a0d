namespace KafkaEventSourcing.EventLog;

/// <summary>How a subscription reads.</summary>
public sealed record EventSubscriptionOptions
{
    /// <summary>The consumer group that shares the partitions; positions come from the subscriber, never from Kafka.</summary>
    public required string GroupId { get; init; }

    /// <summary>The most events of one batch. Default 10,000.</summary>
    public int MaxBatchEvents { get; init; } = 10_000;

    /// <summary>The most bytes of one batch, but for a single event that is larger. Default 4 MiB.</summary>
    public long MaxBatchBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>The most bytes that wait to be handed over, shared evenly by the partitions that this node reads (256 KiB each at least); a partition that has its share pauses. Default 64 MiB.</summary>
    public long MaxWaitingBytes { get; init; } = 64 * 1024 * 1024;
}
