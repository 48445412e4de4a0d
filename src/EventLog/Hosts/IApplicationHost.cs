namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The application that a process hosts, for what runs beside its node. Whoever hosts a node registers it; a process
/// without a node has <see cref="ApplicationServers"/> of its own. Thread-safe.
/// </summary>
public interface IApplicationHost
{
    /// <summary>The application's name: first part of topic names.</summary>
    string Application { get; }

    /// <summary>
    /// The names of consumer groups that the application has: none of its parts may be called so. Empty where it is not known.
    /// </summary>
    IReadOnlyCollection<string> ConsumerGroups { get; }

    /// <summary>
    /// Completes when the servers are known and the application's topics and schemas are there: beside a node, when it serves. It fails
    /// or is cancelled where that does not come, as when the node does not start; the host ends then.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled, or the host ended
    /// before.</exception>
    Task<ApplicationServers> WaitForServersAsync(CancellationToken cancellationToken = default);
}
