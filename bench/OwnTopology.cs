using System.Diagnostics.Metrics;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Streamiz;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Bench;

/// <summary>The library's streams over the same events.</summary>
internal sealed class OwnTopology : StreamsUnderTest
{
    /// <summary>Of the bank's topics.</summary>
    public const int Partitions = 4;

    private readonly BenchServers _servers;
    private readonly EventStreamsDefinition _definition;
    private readonly EventStreamsOptions _options;
    private long _processed;
    private StreamFolder? _folder;
    private StreamRun? _run;

    public OwnTopology(BenchServers servers, string kind, bool exactlyOnce, int run)
        : base(servers, "own", kind, exactlyOnce, run) =>
        (_servers, _definition, _options) = (servers, Define(Name, kind, () => Interlocked.Increment(ref _processed)),
            new EventStreamsOptions { ExactlyOnce = exactlyOnce });

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

    protected override long Processed() => Kind == "totals" ? Added(_run!) : Interlocked.Read(ref _processed);

    protected override async Task Start(CancellationToken cancellationToken)
    {
        _folder = StreamFolder.Take(Folder, _definition.Name);
        _run = await StreamRun.StartAsync(_definition, _servers.Application, _options, new ApplicationServers
        {
            Kafka = new KafkaConnection { BootstrapServers = _servers.Addresses.Kafka! },
            Registry = new SchemaRegistryConfig { Url = _servers.Addresses.Registry },
            DataDirectory = Folder,
        }, _folder, static settings => new StreamClients(settings), NullLoggerFactory.Instance, cancellationToken).ConfigureAwait(false);
    }

    protected override async Task<Figures> Refill(CancellationToken cancellationToken)
    {
        long records = 0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == "kes_streams_restored")
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, count, _, _) => Interlocked.Add(ref records, count));
        listener.Start();
        await Start(cancellationToken).ConfigureAwait(false);
        using var timer = new PeriodicTimer(Look);
        while (!_run!.Restores.Any() && !_run.Restored.IsCompleted)
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        var begin = Figures.Now;
        await _run.Restored.WaitAsync(cancellationToken).ConfigureAwait(false);
        return Figures.Since(begin, Interlocked.Read(ref records));
    }

    protected override async Task End()
    {
        if (_run is { } run)
            await run.DisposeAsync().ConfigureAwait(false);
        _folder?.Dispose();
        (_run, _folder) = (null, null);
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
    private long Added(StreamRun run) => run.Environment.Assignment.PartitionsOf("totals").Sum(partition =>
        run.Environment.Assignment.AskAsync<RunningTotal?, long>("totals", _definition.RepartitionOf("totals"), partition,
            store => store.All().Sum(t => t.Value!.Count), CancellationToken.None).GetAwaiter().GetResult().Result);
}
