namespace KafkaEventSourcing;

/// <summary>Strong reads from the partition owner's state. Thread-safe.</summary>
public interface IAggregateReader
{
    /// <summary>
    /// Reads one aggregate, with every event that was committed before the call; null when it has none.
    /// </summary>
    /// <exception cref="AggregateParkedException">An event of the aggregate cannot be folded, so its state is not known.</exception>
    /// <exception cref="AggregateUnavailableException">This node does not own the aggregate's partition, or is still restoring it.</exception>
    ValueTask<AggregateView?> Read(AggregateId aggregateId, CancellationToken cancellationToken);
}
