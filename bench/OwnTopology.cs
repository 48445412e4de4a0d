using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Streamiz;
using Microsoft.Extensions.Logging.Abstractions;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Errors;
using Streamiz.Kafka.Net.Kafka;
using Streamiz.Kafka.Net.Metrics;
using Streamiz.Kafka.Net.State;

namespace KafkaEventSourcing.Bench;

/// <summary>The library's streams over the same events.</summary>
internal sealed class OwnTopology : StreamsUnderTest
{
    /// <summary>Of the bank's topics.</summary>
    public const int Partitions = 4;

    private readonly BenchServers _servers;
    private readonly EventStreamsDefinition _definition;
    private readonly StreamEnvironment _environment;
    private long _processed;

    private OwnTopology(BenchServers servers, string kind, bool exactlyOnce, int run,
        Func<string, Func<long>, EventStreamsDefinition> define, Func<EventStreamsDefinition, StreamEnvironment> prepare)
        : base(servers, "own", kind, exactlyOnce, run)
    {
        _servers = servers;
        _definition = define(Name, () => Interlocked.Increment(ref _processed));
        _environment = prepare(_definition);
    }

    protected override int Stores => Partitions;

    /// <summary>Prepares topics and schemas.</summary>
    public static OwnTopology Create(BenchServers servers, string kind, bool exactlyOnce, int run)
    {
        var created = new OwnTopology(servers, kind, exactlyOnce, run, (name, count) => Define(name, kind, count),
            definition => StreamEnvironment.PrepareAsync(definition, servers.Application, servers.Registry, static _ => Partitions,
                static (_, _) => new Dictionary<long, DeadLetterResolution>(), static (_, _) => 0, new StreamTelemetry(definition.Name),
                CancellationToken.None).GetAwaiter().GetResult());
        CreateTopics(servers, created._definition.Topics);
        return created;
    }

    /// <summary>Creates topics without a limit of age.</summary>
    public static void CreateTopics(BenchServers servers, IEnumerable<string> names)
    {
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = servers.Addresses.Kafka }).Build();
        admin.CreateTopicsAsync(names.Select(name => new Confluent.Kafka.Admin.TopicSpecification
        {
            Name = name, NumPartitions = Partitions, ReplicationFactor = 1, Configs = new Dictionary<string, string>
            {
                ["retention.ms"] = "-1",
                ["cleanup.policy"] = name.EndsWith("-changelog", StringComparison.Ordinal) ? "compact" : "delete",
            },
        })).GetAwaiter().GetResult();
    }

    /// <summary>The category of a movement.</summary>
    public static string CategoryOf(object @event) => @event switch
    {
        AccountCredited credited => credited.Category.ToString(),
        AccountDebited debited => debited.Category.ToString(),
        _ => "opened",
    };

    /// <summary>The amount of a movement; 0: it is none.</summary>
    public static long AmountOf(object @event) => @event switch
    {
        AccountCredited credited => credited.Amount,
        AccountDebited debited => debited.Amount,
        _ => 0,
    };

    /// <summary>A type of the bank as a record.</summary>
    public static AvroRecordType RecordOf(Type type) => (AvroRecordType)typeof(AvroRecordType).GetMethod(nameof(AvroRecordType.Of))!
        .MakeGenericMethod(type).Invoke(null, null)!;

    protected override long Processed(KafkaStream stream) => Kind == "totals" ? Added(stream) : Interlocked.Read(ref _processed);

    protected override KafkaStream Make()
    {
        var connection = new KafkaConnection { BootstrapServers = _servers.Addresses.Kafka! };
        var options = new EventStreamsOptions { ExactlyOnce = ExactlyOnce };
        var tables = new StateTables();
        Directory.CreateDirectory(Folder);
        StreamConfig config = StreamSettings.Of(_definition, options, connection, Folder, NullLoggerFactory.Instance, tables);
        HashSet<string> batched = [.. _environment.Sources.Values.Select(s => s.Topic), .. _definition.Topics];
        return new KafkaStream(new StreamTopology(_definition, _environment, static _ => Partitions, tables).Build(), config,
            new Clients(connection, batched, StreamSettings.BatchRecords(options)));
    }

    private static EventStreamsDefinition Define(string name, string kind, Func<long> count)
    {
        EventStreamsBuilder builder = EventStreams.Define(name).From(Account.Definition);
        return kind switch
        {
            "fold" => builder.Snapshot(Account.Definition, new SnapshotOptions { RecentCommands = 0 }, dropWhen: _ => count() < 0).Build(),
            "totals" => builder.Totals("totals", CalendarWindow.Month, "Europe/Prague", totals => totals
                .Add<AccountOpened>(Account.Definition, static (opened, r) => new TotalEntry(CategoryOf(opened), 0, r.Time))
                .Add<AccountCredited>(Account.Definition, static (c, r) => new TotalEntry(CategoryOf(c), c.Amount, r.Time))
                .Add<AccountDebited>(Account.Definition, static (d, r) => new TotalEntry(CategoryOf(d), d.Amount, r.Time))).Build(),
            _ => builder.PerEventType(Account.Definition).Topology((_, sources) => sources.Records(Account.Definition)
                .Foreach((_, _, _) => count())).Build(),
        };
    }

    // The totals are few: asking for all of them costs little beside what is measured.
    private static long Added(KafkaStream stream)
    {
        try
        {
            return stream.Store(StoreQueryParameters.FromNameAndType("totals",
                QueryableStoreTypes.KeyValueStore<byte[], RunningTotal>())).All().Sum(t => t.Value.Count);
        }
        catch (InvalidStateStoreException)
        {
            return 0; // the stream is not running yet
        }
    }

    private sealed class Clients(KafkaConnection connection, IReadOnlySet<string> batched, int batchRecords) : IKafkaSupplier
    {
        public StreamMetricsRegistry MetricsRegistry { get; set; } = null!;

        public IConsumer<byte[], byte[]> GetConsumer(ConsumerConfig config, IConsumerRebalanceListener listener)
        {
            var batching = new BatchingConsumer(batched, batchRecords, 4 * 1024 * 1024);
            return batching.ReadBy(new ConsumerBuilder<byte[], byte[]>(connection.Consumer(config.GroupId))
                .SetPartitionsAssignedHandler((c, partitions) => listener.PartitionsAssigned(c, partitions))
                .SetPartitionsRevokedHandler((c, partitions) =>
                {
                    batching.Drop(partitions.Select(p => p.TopicPartition));
                    listener.PartitionsRevoked(c, partitions);
                }).Build());
        }

        public IConsumer<byte[], byte[]> GetRestoreConsumer(ConsumerConfig config)
        {
            ConsumerConfig ours = connection.Consumer(config.GroupId);
            ours.FetchWaitMaxMs = 10;
            ours.ConsumeResultFields = "timestamp,topic";
            return new ConsumerBuilder<byte[], byte[]>(ours).Build();
        }

        public IConsumer<byte[], byte[]> GetGlobalConsumer(ConsumerConfig config) =>
            new ConsumerBuilder<byte[], byte[]>(connection.Consumer(config.GroupId)).Build();

        public IProducer<byte[], byte[]> GetProducer(ProducerConfig config)
        {
            ProducerConfig ours = connection.Producer();
            ours.Partitioner = Partitioner.Murmur2Random;
            ours.LingerMs = 5;
            ours.TransactionalId = config.TransactionalId;
            ours.DeliveryReportFields = "status";
            return new ProducerBuilder<byte[], byte[]>(ours).Build();
        }

        public IAdminClient GetAdmin(AdminClientConfig config) => new AdminClientBuilder(connection.Admin()).Build();
    }
}
