using KafkaEventSourcing.Hosting.Health;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>A node with the servers that were started for it; disposing stops first the node, then the servers.</summary>
public sealed class RunningNode : IAsyncDisposable
{
    private readonly IServers _servers;

    internal RunningNode(EventSourcedNode node, IServers servers, ILoggerFactory loggers) => (Node, _servers, Loggers) = (node, servers, loggers);

    /// <summary>The node.</summary>
    public EventSourcedNode Node { get; }

    internal IReadOnlyList<NodeCheck> ServerChecks => _servers.Checks;

    /// <summary>Where it logs.</summary>
    public ILoggerFactory Loggers { get; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync().ConfigureAwait(false);
        await _servers.DisposeAsync().ConfigureAwait(false);
        Loggers.Dispose();
    }
}
