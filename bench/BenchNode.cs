using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Bench;

/// <summary>One node of an application with its HTTP interface on a free port.</summary>
internal sealed class BenchNode : IAsyncDisposable
{
    private readonly WebApplication _web;

    private BenchNode(EventSourcedNode node, WebApplication web)
    {
        (Node, _web) = (node, web);
        // As many connections as there are callers, as the callers' machines would have.
        Http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new Uri(_web.Urls.First()) };
    }

    public EventSourcedNode Node { get; }

    public AggregateNode Accounts => Node.Aggregates[0];

    public HttpClient Http { get; }

    public static async Task<BenchNode> Start(ApplicationDefinition application, BenchServers servers, string name,
        CancellationToken cancellationToken, int standbys = 0)
    {
        var options = new KafkaEventSourcingOptions { DataDirectory = Path.Combine(servers.Folder, name), Standbys = standbys };
        EventSourcedNode node = await EventSourcedNode.StartAsync(application, servers.Addresses, options, NullLoggerFactory.Instance,
            TimeProvider.System, cancellationToken).ConfigureAwait(false);
        WebApplication web = HttpInterface.Create(node, new HttpOptions { Port = 0 }, NullLoggerFactory.Instance, TimeProvider.System);
        await web.StartAsync(cancellationToken).ConfigureAwait(false);
        node.Advertise(new Uri(web.Urls.First()));
        return new BenchNode(node, web);
    }

    public async ValueTask DisposeAsync()
    {
        await Node.DisposeAsync().ConfigureAwait(false); // its partitions first: whoever is told so looks for the next owner
        await _web.DisposeAsync().ConfigureAwait(false);
        Http.Dispose();
    }
}
