namespace KafkaEventSourcing.Hosting;

/// <summary>The node of the application in this host, which starts in the background. Thread-safe.</summary>
public interface INodeAccessor
{
    /// <summary>The node; null until it serves.</summary>
    EventSourcedNode? Current { get; }

    /// <summary>Completes with the node once it serves. It fails with the fault of the start.</summary>
    /// <remarks>
    /// The node starts when the host's other services have started. A hosted service that waits for it in its own <c>StartAsync</c> keeps
    /// the host from coming as far: wait in a <c>BackgroundService</c>, or set <see cref="KafkaEventSourcingOptions.WaitForStart"/> and
    /// register the service behind the application.
    /// </remarks>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled, or the host ended before the node
    /// served.</exception>
    Task<EventSourcedNode> WaitForNodeAsync(CancellationToken cancellationToken = default);
}
