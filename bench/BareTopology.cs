using System.Globalization;
using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging.Abstractions;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Stream;
using Streamiz.Kafka.Net.Table;

namespace KafkaEventSourcing.Bench;

/// <summary>Streamiz as it comes: its DSL, its stores and its settings, with serdes in Avro as anybody would write them.</summary>
internal sealed class BareTopology(BenchServers servers, string kind, bool exactlyOnce, int run)
    : StreamsUnderTest(servers, "bare", kind, exactlyOnce, run)
{
    private readonly BenchServers _servers = servers;
    private long _processed;
    private KafkaStream? _stream;

    protected override long Processed() => Interlocked.Read(ref _processed);

    protected override async Task Start(CancellationToken cancellationToken)
    {
        _stream = Make();
        await _stream.StartAsync().ConfigureAwait(false);
    }

    protected override async Task<Figures> Refill(CancellationToken cancellationToken)
    {
        _stream = Make();
        var restored = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        long records = 0;
        int left = OwnTopology.Partitions;
        (long, TimeSpan, long)? begin = null;
        _stream.OnRestoreStartEvent += (_, _, _, _) => begin ??= Figures.Now;
        _stream.OnRestoreBatchEvent += (_, _, _, count) => Interlocked.Add(ref records, count);
        _stream.OnRestoreEndEvent += (_, _, _) =>
        {
            if (Interlocked.Decrement(ref left) == 0)
                restored.TrySetResult();
        };
        await _stream.StartAsync().ConfigureAwait(false);
        await restored.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        return Figures.Since(begin!.Value, records);
    }

    protected override async Task End()
    {
        if (_stream is { } stream)
            await Task.Factory.StartNew(stream.Dispose, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
                .ConfigureAwait(false);
        _stream = null;
    }

    private KafkaStream Make()
    {
        AvroMessageSerde serde = AvroMessageSerde.Create(_servers.Registry,
            [.. Account.Definition.EventTypes.Append(typeof(AccountState)).Select(OwnTopology.RecordOf)]);
        string topic = new TopicFamily(_servers.Application, Account.Definition.Name).Events;
        var builder = new StreamBuilder();
        switch (Kind)
        {
            case "fold":
                TopicEncoder encoder = serde.PrepareAsync($"{Name}-states-changelog", [typeof(AccountState)]).GetAwaiter().GetResult();
                builder.Stream(topic, new StringSerDes(), new PlainSerDes(serde, null)).GroupByKey().Aggregate(
                    () => (IAvroRecord)Account.Definition.InitialState,
                    (_, @event, state) => (IAvroRecord)Account.Definition.Evolve(state, Counted(@event)),
                    RocksDb.As<string, IAvroRecord>("states").WithKeySerdes(new StringSerDes())
                        .WithValueSerdes(new PlainSerDes(serde, encoder)));
                break;
            case "totals":
                builder.Stream(topic, new StringSerDes(), new PlainSerDes(serde, null))
                    .Map((_, @event, context) => KeyValuePair.Create(MonthOf(@event, context.Timestamp), OwnTopology.AmountOf(@event)))
                    .GroupByKey<StringSerDes, Int64SerDes>().Aggregate(() => 0L, (_, amount, sum) => Counted(sum + amount),
                        RocksDb.As<string, long>("totals").WithKeySerdes(new StringSerDes()).WithValueSerdes(new Int64SerDes()));
                break;
            default:
                builder.Stream(topic, new StringSerDes(), new ByteArraySerDes()).To((_, value, context) => Counted(
                    $"{Name}.{Encoding.UTF8.GetString(CloudEventHeaders.Find(context.Headers, CloudEventHeaders.Type)!)}"),
                    new StringSerDes(), new ByteArraySerDes());
                OwnTopology.CreateTopics(_servers, Account.Definition.EventTypes.Select(t => $"{Name}.{OwnTopology.RecordOf(t).FullName}"));
                break;
        }

        var config = new StreamConfig(null, NullLoggerFactory.Instance)
        {
            ApplicationId = Name,
            BootstrapServers = _servers.Addresses.Kafka,
            StateDir = Folder,
            AutoOffsetReset = AutoOffsetReset.Earliest, // without it there is nothing to measure
        };
        if (ExactlyOnce)
            config.Guarantee = ProcessingGuarantee.EXACTLY_ONCE;
        return new KafkaStream(builder.Build(), config);
    }

    private static string MonthOf(IAvroRecord @event, long time) => string.Create(CultureInfo.InvariantCulture,
        $"{OwnTopology.CategoryOf(@event)} {DateTimeOffset.FromUnixTimeMilliseconds(time):yyyy-MM}");

    private T Counted<T>(T value)
    {
        Interlocked.Increment(ref _processed);
        return value;
    }

    private sealed class PlainSerDes(AvroMessageSerde serde, TopicEncoder? encoder) : AbstractSerDes<IAvroRecord>
    {
        public override IAvroRecord Deserialize(byte[]? data, SerializationContext context) => data is null ? null! : serde.Decode(data);

        public override byte[] Serialize(IAvroRecord data, SerializationContext context) => Stages.Framed(encoder!, data);
    }
}
