using KafkaEventSourcing.Embedded.Kafka;
using KafkaEventSourcing.Embedded.MongoDB;
using KafkaEventSourcing.Embedded.SchemaRegistry;
using KafkaEventSourcing.Hosting.Health;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting.Embedded;

/// <summary>
/// Kafka, Schema Registry and, where it is needed, MongoDB in this process, for those that no address names. Their data is below the data
/// folder.
/// </summary>
public sealed class EmbeddedServers : IEmbeddedServers
{
    private const int MaxBrokers = 9;

    private readonly EmbeddedServerSetting _kafkaPort;
    private readonly EmbeddedServerSetting _registryPort;
    private readonly EmbeddedServerSetting _mongoPort;
    private readonly EmbeddedServerSetting _advertisedKafkaPort;
    private readonly EmbeddedServerSetting _brokers;

    /// <summary>Servers that listen, unless an option says otherwise, on these ports of the loopback interface; 0 is a free one.</summary>
    public EmbeddedServers(int kafkaPort = 0, int registryPort = 0, int mongoPort = 0)
    {
        _kafkaPort = Port("--kafka-port", "KES_KAFKA_PORT", "Kafka", kafkaPort);
        _registryPort = Port("--registry-port", "KES_REGISTRY_PORT", "Schema Registry", registryPort);
        _mongoPort = Port("--mongodb-port", "KES_MONGODB_PORT", "MongoDB", mongoPort);
        _advertisedKafkaPort = PortSetting(
            "--kafka-advertised-port", "KES_KAFKA_ADVERTISED_PORT",
            "port that clients of the embedded Kafka are told, where a proxy is before it (default: its own)", 0);
        _brokers = new EmbeddedServerSetting(
            "--brokers", "KES_BROKERS",
            "brokers of the embedded Kafka (default 1); more: a cluster for tests, with leaders that move and delays as a real one has", 1,
            value => value is < 1 or > MaxBrokers ? $"--brokers is {value}; it is between 1 and {MaxBrokers}." : null);
    }

    /// <summary>How the embedded Kafka is a cluster where <c>--brokers</c> does not say so; null, the default: it is one broker.</summary>
    public EmbeddedClusterOptions? Cluster { get; init; }

    /// <summary>
    /// The topic that keeps the schemas of the embedded registry. Default <c>_schemas</c>. Registries that run at the same time must not
    /// share one: each gives ids by itself.
    /// </summary>
    public string SchemasTopic { get; init; } = "_schemas";

    /// <inheritdoc/>
    public IReadOnlyList<EmbeddedServerSetting> Settings => [_kafkaPort, _registryPort, _mongoPort, _advertisedKafkaPort, _brokers];

    /// <inheritdoc/>
    public async Task<IServers> StartAsync(ServersRequest request, ILoggerFactory loggerFactory,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        (ServerAddresses addresses, string dataDirectory) = (request.Addresses, request.DataDirectory);
        var running = new RunningServers();
        try
        {
            if (addresses.Kafka is null)
            {
                EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(
                    new EmbeddedKafkaOptions
                    {
                        DataDirectory = Path.Combine(dataDirectory, "kafka"),
                        Port = ValueOf(_kafkaPort),
                        AdvertisedPort = ValueOf(_advertisedKafkaPort),
                        MaxInFlightBytes = Part(8, 32, 256),
                        Cluster = ValueOf(_brokers) is > 1 and int brokers ? new EmbeddedClusterOptions { Brokers = brokers } : Cluster,
                    },
                    loggerFactory, cancellationToken: cancellationToken).ConfigureAwait(false);
                running.Add(kafka);
                addresses = addresses with { Kafka = kafka.BootstrapServers };
            }

            if (addresses.Registry is null)
            {
                EmbeddedSchemaRegistry registry = await EmbeddedSchemaRegistry.StartAsync(
                    new EmbeddedSchemaRegistryOptions
                    {
                        BootstrapServers = addresses.Kafka!,
                        KafkaSettings = addresses.KafkaSettings,
                        Topic = SchemasTopic,
                        ReplicationFactor = request.ReplicationFactor,
                        Port = ValueOf(_registryPort),
                    },
                    loggerFactory, cancellationToken).ConfigureAwait(false);
                running.Add(registry);
                addresses = addresses with { Registry = registry.Url };
            }

            if (request.MongoDB && addresses.MongoDB is null)
            {
                EmbeddedMongoDB mongo = await EmbeddedMongoDB.StartAsync(
                    new EmbeddedMongoDBOptions
                    {
                        DataDirectory = Path.Combine(dataDirectory, "mongodb"),
                        Port = ValueOf(_mongoPort),
                        WriteBufferBytes = Part(16, 8, 96),
                        BlockCacheBytes = Part(32, 8, 64),
                        MaxTransactionBytes = Part(4, 64, 512),
                    },
                    loggerFactory, cancellationToken: cancellationToken).ConfigureAwait(false);
                running.Add(mongo);
                addresses = addresses with { MongoDB = mongo.ConnectionString };
            }

            running.Addresses = addresses;
            return running;
        }
        catch
        {
            await running.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        int ValueOf(EmbeddedServerSetting setting) => request.Settings.TryGetValue(setting.Name, out int value) ? value : setting.Default;
    }

    // Of the memory that this process may have, as the runtime sees it: a limit of its container or of its heap counts. A node and its
    // servers share it.
    private static long Part(int divisor, long leastMiB, long mostMiB) =>
        Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / divisor, leastMiB << 20, mostMiB << 20);

    private static EmbeddedServerSetting Port(string name, string variable, string server, int fallback) =>
        PortSetting(name, variable,
            $"port of the embedded {server} (default {(fallback == 0 ? "a free one" : $"{fallback}; 0: a free one")})", fallback);

    private static EmbeddedServerSetting PortSetting(string name, string variable, string description, int fallback) =>
        new(name, variable, description, fallback,
            value => value is < 0 or > ushort.MaxValue ? $"{name} is {value}; a port is between 0 and {ushort.MaxValue}." : null);

    private sealed class RunningServers : IServers
    {
        private readonly Stack<IAsyncDisposable> _servers = [];

        public ServerAddresses Addresses { get; set; } = new();

        public IReadOnlyList<NodeCheck> Checks { get; private set; } = [];

        public void Add(IAsyncDisposable server)
        {
            _servers.Push(server);
            if (server is EmbeddedKafka kafka)
                Checks = [new NodeCheck("kafka-storage", () =>
                    kafka.StorageFault is { } fault
                        ? CheckResult.Failing(
                            $"The embedded Kafka cannot write: {fault.Message} ({fault.Place}). It goes on as soon as it can.")
                        : CheckResult.Ok)];
        }

        public async ValueTask DisposeAsync()
        {
            while (_servers.TryPop(out IAsyncDisposable? server))
                await server.DisposeAsync().ConfigureAwait(false);
        }
    }
}
