namespace KafkaEventSourcing.Hosting;

/// <summary>The node of the application in this host, which starts in the background. Thread-safe.</summary>
public interface INodeAccessor
{
    /// <summary>The node; null until it serves.</summary>
    EventSourcedNode? Current { get; }

    /// <summary>Completes with the node once it serves. It fails with the fault of the start.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled, or the host ended before the node
    /// served.</exception>
    Task<EventSourcedNode> WaitForNodeAsync(CancellationToken cancellationToken = default);
}
