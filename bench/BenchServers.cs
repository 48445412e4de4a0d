using System.Globalization;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Bench;

/// <summary>Servers: embedded ones in a temporary folder, or those that were named.</summary>
internal sealed class BenchServers : IAsyncDisposable
{
    private static int s_started;

    private readonly IServers _servers;

    private BenchServers(IServers servers, string folder, string application)
    {
        (_servers, Folder, Application) = (servers, folder, application);
        Registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Addresses.Registry });
    }

    public ServerAddresses Addresses => _servers.Addresses;

    public CachedSchemaRegistryClient Registry { get; }

    public string Folder { get; }

    /// <summary>A name of an application that these servers have not seen: those that were named keep what earlier runs left.</summary>
    public string Application { get; }

    /// <param name="named">The servers to use; one that is not named is started.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public static async Task<BenchServers> Start(ServerAddresses named, CancellationToken cancellationToken)
    {
        string folder = Directory.CreateTempSubdirectory("kes-bench-").FullName;
        string application = named.Kafka is null && named.MongoDB is null
            ? "bank"
            : string.Create(CultureInfo.InvariantCulture,
                $"bench-{Environment.ProcessId}-{TimeProvider.System.GetUtcNow().ToUnixTimeSeconds()}-"
                    + $"{Interlocked.Increment(ref s_started)}");
        IServers servers = await new EmbeddedServers().StartAsync(new ServersRequest { Addresses = named, DataDirectory = folder },
            NullLoggerFactory.Instance, cancellationToken).ConfigureAwait(false);
        return new BenchServers(servers, folder, application);
    }

    public async ValueTask DisposeAsync()
    {
        Registry.Dispose();
        await _servers.DisposeAsync().ConfigureAwait(false);
        Directory.Delete(Folder, recursive: true);
    }
}
