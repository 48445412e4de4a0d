using Confluent.SchemaRegistry;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Bench;

/// <summary>The embedded servers in a temporary folder.</summary>
internal sealed class BenchServers : IAsyncDisposable
{
    private readonly IServers _servers;

    private BenchServers(IServers servers, string folder)
    {
        (_servers, Folder) = (servers, folder);
        Registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Addresses.Registry });
    }

    public ServerAddresses Addresses => _servers.Addresses;

    public CachedSchemaRegistryClient Registry { get; }

    public string Folder { get; }

    public static async Task<BenchServers> Start(CancellationToken cancellationToken)
    {
        string folder = Directory.CreateTempSubdirectory("kes-bench-").FullName;
        return new BenchServers(await new EmbeddedServers().Start(new ServerAddresses(), folder, options: null, NullLoggerFactory.Instance, cancellationToken).ConfigureAwait(false), folder);
    }

    public async ValueTask DisposeAsync()
    {
        Registry.Dispose();
        await _servers.DisposeAsync().ConfigureAwait(false);
        Directory.Delete(Folder, recursive: true);
    }
}
