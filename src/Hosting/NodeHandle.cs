using KafkaEventSourcing.Hosting.Health;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>A node with the servers that were started for it; disposing stops first the node, then the servers.</summary>
public sealed class NodeHandle : IAsyncDisposable
{
    private readonly IServers _servers;
    private readonly bool _ownsLoggers;

    private NodeHandle(EventSourcedNode node, IServers servers, ILoggerFactory loggers, bool ownsLoggers) =>
        (Node, _servers, Loggers, _ownsLoggers) = (node, servers, loggers, ownsLoggers);

    /// <summary>The node.</summary>
    public EventSourcedNode Node { get; }

    internal IReadOnlyList<NodeCheck> ServerChecks => _servers.Checks;

    /// <summary>Where it logs.</summary>
    public ILoggerFactory Loggers { get; }

    /// <summary>Starts the servers that <paramref name="options"/> do not name, and a node on them.</summary>
    /// <param name="application">What runs.</param>
    /// <param name="embedded">Starts servers; null: all must be named.</param>
    /// <param name="options">How it runs.</param>
    /// <param name="embeddedSettings">What they are set to, by name; null: nothing.</param>
    /// <param name="loggers">Where all of it logs.</param>
    /// <param name="ownsLoggers">Whether they end with the node.</param>
    /// <param name="services">What handlers of subscriptions are made with; null: the node has services of its own.</param>
    /// <param name="timeProvider">The clock.</param>
    /// <param name="entering">Is told what the start waits for, as text that may change while it waits.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    internal static async Task<NodeHandle> Start(
        ApplicationDefinition application, IEmbeddedServers? embedded, KafkaEventSourcingOptions options,
        IReadOnlyDictionary<string, int>? embeddedSettings, ILoggerFactory loggers, bool ownsLoggers,
        IServiceProvider? services, TimeProvider timeProvider, Action<Func<string>> entering, CancellationToken cancellationToken)
    {
        entering(() => "starting the servers that no option names");
        IServers servers = await StartServers(application, embedded, options, embeddedSettings, loggers, cancellationToken)
            .ConfigureAwait(false);
        try
        {
            EventSourcedNode node = await EventSourcedNode.Start(application, servers.Addresses, options, loggers, services, timeProvider,
                entering, cancellationToken).ConfigureAwait(false);
            return new NodeHandle(node, servers, loggers, ownsLoggers);
        }
        catch
        {
            await servers.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The servers that <paramref name="options"/> name, and those started that they do not name.</summary>
    internal static async Task<IServers> StartServers(ApplicationDefinition application, IEmbeddedServers? embedded,
        KafkaEventSourcingOptions options, IReadOnlyDictionary<string, int>? embeddedSettings, ILoggerFactory loggers,
        CancellationToken cancellationToken) =>
        options.Addresses.AreComplete(application.NeedsMongoDB) || embedded is null
            ? new ExternalServers(options.Addresses, application.NeedsMongoDB)
            : await embedded.StartAsync(
                new ServersRequest
                {
                    Addresses = options.Addresses,
                    DataDirectory = options.DataDirectoryOf(application.Name),
                    MongoDB = application.NeedsMongoDB,
                    ReplicationFactor = options.ReplicationFactor,
                    Settings = embeddedSettings ?? new Dictionary<string, int>(),
                },
                loggers, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync().ConfigureAwait(false);
        await _servers.DisposeAsync().ConfigureAwait(false);
        if (_ownsLoggers)
            Loggers.Dispose();
    }
}
