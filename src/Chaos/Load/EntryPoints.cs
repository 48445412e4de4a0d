using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Streamiz;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Chaos.Load;

/// <summary>The command topics and the logs of all aggregate types, as a producer and a reader outside the application have them.</summary>
internal sealed class EntryPoints : IAsyncDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);

    private readonly CachedSchemaRegistryClient _registry;
    private readonly Dictionary<string, CommandClient> _topics = [];
    private readonly Dictionary<string, HistoryReader> _logs = [];

    private EntryPoints(CachedSchemaRegistryClient registry) => _registry = registry;

    /// <summary>Reads what the event streams write; null: there are none.</summary>
    public EventStreamsReader? Streams { get; private set; }

    public IReadOnlyDictionary<string, CommandClient> Topics => _topics;

    public IReadOnlyDictionary<string, HistoryReader> Logs => _logs;

    /// <summary>Opens them, to the topics of <paramref name="application"/>.</summary>
    public static async Task<EntryPoints> Open(string application, DomainUnderTest domain, ServerAddresses servers, TimeProvider time,
        CancellationToken cancellationToken)
    {
        var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Registry });
        var entryPoints = new EntryPoints(registry);
        try
        {
            var serde = AvroMessageSerde.Create(registry,
                domain.Aggregates.SelectMany(a => a.CommandTypes.Where(a.Accepts).Concat(a.EventTypes).Concat(a.UpcastTypes)).Distinct()
                    .Select(EventSourcedNode.RecordTypeOf));
            foreach (AggregateDefinition aggregate in domain.Aggregates)
            {
                var topics = new TopicFamily(application, aggregate.Name);
                entryPoints._topics[aggregate.Name] = await CommandClient.StartAsync(
                    servers.KafkaConnection, topics, serde, aggregate.CommandTypes.Where(aggregate.Accepts),
                    new CommandClientOptions { Timeout = CallTimeout }, time, NullLoggerFactory.Instance,
                    cancellationToken).ConfigureAwait(false);
                entryPoints._logs[aggregate.Name] = new HistoryReader(servers.KafkaConnection, topics, serde, aggregate);
            }

            if (domain.Streams is { } streams)
                entryPoints.Streams = new EventStreamsReader(streams, application, servers.KafkaConnection, servers.RegistryConfig());
            return entryPoints;
        }
        catch
        {
            await entryPoints.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (CommandClient client in _topics.Values)
            await client.DisposeAsync().ConfigureAwait(false);
        Streams?.Dispose();
        _registry.Dispose();
    }
}
