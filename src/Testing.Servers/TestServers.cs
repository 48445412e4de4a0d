using System.Globalization;
using System.Security.Cryptography;
using KafkaEventSourcing.Embedded.Kafka;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using Microsoft.Extensions.Logging;
using Testcontainers.Kafka;
using Testcontainers.MongoDb;

namespace KafkaEventSourcing.Testing;

/// <summary>
/// Kafka, Schema Registry and MongoDB for tests. Each that <c>KES_TEST_KAFKA</c>, <c>KES_TEST_REGISTRY</c> or <c>KES_TEST_MONGODB</c> names
/// is used where it is; with <c>KES_TEST_CONTAINERS=1</c> the missing Kafka and MongoDB are started in containers; all else is embedded in
/// this process, on free ports, in a temporary folder; with <c>KES_TEST_CLUSTER=3</c> the embedded Kafka has so many brokers, with the
/// delays of a real cluster (<c>KES_TEST_SEED</c> varies them). Disposing ends what was started and deletes the folder.
/// </summary>
public sealed class TestServers : IAsyncDisposable
{
    /// <summary>The image of Kafka in containers.</summary>
    public const string KafkaImage = "apache/kafka:4.1.0";

    /// <summary>The image of MongoDB in containers.</summary>
    public const string MongoDBImage = "mongo:8.0";

    private readonly Stack<IAsyncDisposable> _started;
    private int _nodes;

    private TestServers(string folder, Stack<IAsyncDisposable> started, ServerAddresses addresses, bool embedded) =>
        (Folder, _started, Addresses, AreEmbedded) = (folder, started, addresses, embedded);

    /// <summary>A temporary folder of these servers and their tests.</summary>
    public string Folder { get; }

    /// <summary>Where the servers are.</summary>
    public ServerAddresses Addresses { get; }

    /// <summary>
    /// Where nodes and servers of tests log to: the file that the variable <c>KES_TEST_LOG</c> names, from level Information on; without
    /// it, nowhere.
    /// </summary>
    public static ILoggerFactory Loggers => TestLog.OfEnvironment;

    /// <summary>Whether all three are embedded.</summary>
    public bool AreEmbedded { get; }

    /// <summary>Starts what the environment asks for.</summary>
    /// <exception cref="TestServersUnavailableException">Containers are asked for and there is no Docker engine.</exception>
    public static async Task<TestServers> StartAsync(CancellationToken cancellationToken = default)
    {
        var named = new ServerAddresses
        {
            Kafka = Named("KES_TEST_KAFKA"),
            Registry = Named("KES_TEST_REGISTRY"),
            MongoDB = Named("KES_TEST_MONGODB"),
        };
        string folder = Directory.CreateTempSubdirectory("kes-test-").FullName;
        var started = new Stack<IAsyncDisposable>();
        try
        {
            ServerAddresses addresses = Named("KES_TEST_CONTAINERS") == "1"
                ? await StartContainers(named, started, cancellationToken).ConfigureAwait(false)
                : named;
            // On a broker that tests share the registry of each is its own: several registries on one topic would give the same ids.
            var missing = addresses.Kafka is null
                ? new EmbeddedServers { Cluster = NamedCluster() }
                : new EmbeddedServers { SchemasTopic = UniqueName("_schemas") };
            IServers servers = await missing.StartAsync(new ServersRequest { Addresses = addresses, DataDirectory = folder }, Loggers,
                cancellationToken).ConfigureAwait(false);
            started.Push(servers);
            bool embedded = addresses.Kafka is null && addresses.Registry is null && addresses.MongoDB is null;
            return new TestServers(folder, started, servers.Addresses, embedded);
        }
        catch
        {
            await End(started, folder).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A name that no other test uses: the prefix, a hyphen, and 12 lower case hexadecimal digits.</summary>
    public static string UniqueName(string prefix) => $"{prefix}-{RandomNumberGenerator.GetHexString(12, lowercase: true)}";

    /// <summary>Starts a node of <paramref name="application"/> with two partitions.</summary>
    /// <param name="application">The application; its name should be unique, see <see cref="UniqueName"/>.</param>
    /// <param name="dataDirectory">The folder of the state stores; null: a new one in <see cref="Folder"/>.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    public Task<EventSourcedNode> StartNodeAsync(ApplicationDefinition application, string? dataDirectory,
        CancellationToken cancellationToken = default) =>
        StartNodeAsync(application, dataDirectory, Loggers, cancellationToken);

    /// <summary>
    /// Starts a node of <paramref name="application"/> with two partitions, which logs to <paramref name="loggerFactory"/>.
    /// </summary>
    public Task<EventSourcedNode> StartNodeAsync(ApplicationDefinition application, string? dataDirectory, ILoggerFactory loggerFactory,
        CancellationToken cancellationToken = default)
    {
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = dataDirectory ?? Path.Combine(Folder, $"node-{Interlocked.Increment(ref _nodes)}"),
            Partitions = 2,
        };
        return EventSourcedNode.StartAsync(application, Addresses, options, loggerFactory, TimeProvider.System, cancellationToken);
    }

    private static EmbeddedClusterOptions? NamedCluster() => Named("KES_TEST_CLUSTER") is { } brokers
        ? new EmbeddedClusterOptions
        {
            Brokers = int.Parse(brokers, CultureInfo.InvariantCulture),
            Seed = int.Parse(Named("KES_TEST_SEED") ?? "1", CultureInfo.InvariantCulture),
        }
        : null;

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => End(_started, Folder);

    private static async Task<ServerAddresses> StartContainers(
        ServerAddresses addresses, Stack<IAsyncDisposable> started, CancellationToken cancellationToken)
    {
        try
        {
            if (addresses.Kafka is null)
            {
                KafkaContainer kafka = new KafkaBuilder(KafkaImage).Build();
                started.Push(kafka);
                await kafka.StartAsync(cancellationToken).ConfigureAwait(false);
                addresses = addresses with { Kafka = kafka.GetBootstrapAddress() };
            }

            if (addresses.MongoDB is null)
            {
                MongoDbContainer mongo = new MongoDbBuilder(MongoDBImage).WithReplicaSet().Build();
                started.Push(mongo);
                await mongo.StartAsync(cancellationToken).ConfigureAwait(false);
                addresses = addresses with { MongoDB = mongo.GetConnectionString() };
            }

            return addresses;
        }
        catch (DotNet.Testcontainers.Builders.DockerUnavailableException missing)
        {
            throw new TestServersUnavailableException(
                "KES_TEST_CONTAINERS=1 needs a Docker engine, and none answers here. Start Docker, or unset the variable to use the "
                    + "embedded servers.", missing);
        }
    }

    private static async ValueTask End(Stack<IAsyncDisposable> started, string folder)
    {
        while (started.TryPop(out IAsyncDisposable? server))
            await server.DisposeAsync().ConfigureAwait(false);
        Directory.Delete(folder, recursive: true);
    }

    private static string? Named(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;
}
