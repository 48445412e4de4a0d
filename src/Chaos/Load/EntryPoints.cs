using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Archive;
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
    private readonly List<TopicFamily> _families = [];
    private KafkaConnection _kafka = null!;
    private FolderArchiveStore? _archive;

    private EntryPoints(CachedSchemaRegistryClient registry) => _registry = registry;

    /// <summary>Reads what the event streams write; null: there are none.</summary>
    public EventStreamsReader? Streams { get; private set; }

    public IReadOnlyDictionary<string, CommandClient> Topics => _topics;

    public IReadOnlyDictionary<string, HistoryReader> Logs => _logs;

    /// <summary>Opens them, to the topics of <paramref name="application"/> and the archive in a folder.</summary>
    public static async Task<EntryPoints> Open(string application, DomainUnderTest domain, ServerAddresses servers, string? archive,
        TimeProvider time, CancellationToken cancellationToken)
    {
        var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Registry });
        var entryPoints = new EntryPoints(registry);
        try
        {
            var serde = AvroMessageSerde.Create(registry,
                domain.Aggregates.SelectMany(a => a.CommandTypes.Where(a.Accepts).Concat(a.EventTypes).Concat(a.UpcastTypes)).Distinct()
                    .Select(EventSourcedNode.RecordTypeOf));
            entryPoints.Use(servers.KafkaConnection, archive, [.. domain.Aggregates.Select(a => new TopicFamily(application, a.Name))]);
            foreach (AggregateDefinition aggregate in domain.Aggregates)
            {
                var topics = new TopicFamily(application, aggregate.Name);
                entryPoints._topics[aggregate.Name] = await CommandClient.StartAsync(
                    servers.KafkaConnection, topics, serde, aggregate.CommandTypes.Where(aggregate.Accepts),
                    new CommandClientOptions { Timeout = CallTimeout }, time, NullLoggerFactory.Instance,
                    cancellationToken).ConfigureAwait(false);
                entryPoints._logs[aggregate.Name] = new HistoryReader(entryPoints._kafka, topics, serde, aggregate);
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

    /// <summary>How many events are archived, and how many of them are not in their topics any more.</summary>
    public Task<(long Archived, long Left)> Archived(CancellationToken cancellationToken) => Task.Run(
        () =>
        {
            long archived = 0, left = 0;
            if (_archive is null)
                return (archived, left);
            var reader = (ArchiveReader)_kafka.Cold!;
            using PartitionLogReader log = PartitionLogReader.ToEnd(_kafka, "chaos-archive");
            using IAdminClient admin = _kafka.BuildAdmin();
            foreach (TopicPartition partition in _families.SelectMany(f => TopicPartitions.Of(admin, f.Events, CallTimeout)
                .Select(p => new TopicPartition(f.Events, p))))
            {
                long hot = log.HotBounds(partition, cancellationToken).Low.Value;
                archived += reader.RangesOf(partition, cancellationToken).Sum(r => r.Records);
                left += reader.RangesOf(partition, cancellationToken).Where(r => r.End <= hot).Sum(r => r.Records);
            }

            return (archived, left);
        },
        cancellationToken);

    private void Use(KafkaConnection kafka, string? archive, IReadOnlyList<TopicFamily> families)
    {
        _families.AddRange(families);
        _archive = archive is null ? null : new FolderArchiveStore(archive);
        _kafka = _archive is null ? kafka : kafka with { Cold = new ArchiveReader(_archive, families) };
    }

    public async ValueTask DisposeAsync()
    {
        if (_archive is not null)
            await _archive.DisposeAsync().ConfigureAwait(false);
        foreach (CommandClient client in _topics.Values)
            await client.DisposeAsync().ConfigureAwait(false);
        Streams?.Dispose();
        _registry.Dispose();
    }
}
