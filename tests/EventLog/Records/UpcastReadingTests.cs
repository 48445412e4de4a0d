using System.Diagnostics.Metrics;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Schema = Confluent.SchemaRegistry.Schema;
using TimerSet = KafkaEventSourcing.Avro.Messages.TimerElapsed;

namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>
/// A log of events of before, read by each way that there is: a timer is what the code of today has, an owner is two of them, a barrier is
/// none, and the type T.Renamed is withdrawn.
/// </summary>
public sealed class UpcastReadingTests(ServersFixture fixture) : IClassFixture<ServersFixture>, IAsyncLifetime
{
    private const string Withdrawn = """{"type":"record","name":"Renamed","namespace":"T","fields":[{"name":"to","type":"string"}]}""";

    private static readonly AggregateDefinition Things = AggregateDefinition.Define("thing", "")
        .Decides<CommandReply>((_, _) => Decision.Nothing)
        .Evolves<TimerSet>((state, timer) => state + timer.Name)
        .Upcasts<PartitionOwner>((owner, context) => owner.Node == "broken"
            ? throw new InvalidOperationException("It has no node.")
            : [Timer($"{owner.Node}-{context.AggregateId}"), Timer($"{owner.Node}-{context.Version}")])
        .Upcasts<SnapshotBarrier>(_ => [])
        .Ignores("T.Renamed")
        .Build();

    private readonly TopicFamily _topics = new(TestServers.UniqueName("upcast"), "thing");
    private readonly CancellationTokenSource _stop = new();
    private CachedSchemaRegistryClient _registry = null!;
    private AvroMessageSerde _serde = null!;
    private TopicEncoder _encoder = null!;
    private IProducer<byte[], byte[]> _producer = null!;
    private long _version;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private KafkaConnection Kafka => fixture.Servers.Addresses.KafkaConnection;

    private HistoryReader History => new(Kafka, _topics, _serde, Things);

    public async ValueTask InitializeAsync()
    {
        using var provisioner = new TopicProvisioner(Kafka);
        await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, 1, -1), Cancellation), Cancellation);
        _registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = fixture.Servers.Addresses.Registry });
        _serde = AvroMessageSerde.Create(_registry, []);
        _encoder = await _serde.PrepareAsync(_topics.Events, [typeof(TimerSet), typeof(PartitionOwner), typeof(SnapshotBarrier)],
            Cancellation);
        _producer = new ProducerBuilder<byte[], byte[]>(Kafka.Producer()).Build();
    }

    public ValueTask DisposeAsync()
    {
        _stop.Dispose();
        _producer.Dispose();
        _registry.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task History_of_a_partition_has_current_events_with_the_versions_and_offsets_of_the_log()
    {
        await WriteOneOfEach();
        var passed = new List<PassedOverEvent>();
        (await History.ReadPartitionAsync(0, 0, passed.Add, Cancellation).Select(Told).ToListAsync(Cancellation))
            .ShouldBe(["1@0 0/1 first", "2@1 0/2 old-a", "2@1 1/2 old-2", "5@4 0/1 last"]);
        passed.Select(p => (p.Version, p.Offset, p.IsEmpty, p.IsDiscarded, p.AggregateId.Value))
            .ShouldBe([(3L, 2L, true, false, "a"), (4L, 3L, true, false, "a")]);
        (await History.ReadPartitionAsync(0, 1, Cancellation).Select(Told).ToListAsync(Cancellation))
            .ShouldBe(["2@1 0/2 old-a", "2@1 1/2 old-2", "5@4 0/1 last"]);
    }

    [Fact]
    public async Task History_of_an_aggregate_is_that_of_its_current_events()
    {
        await WriteOneOfEach();
        (await History.ReadAggregateAsync(AggregateId.Parse("a"), Cancellation).Select(Told).ToListAsync(Cancellation))
            .ShouldBe(["1@0 0/1 first", "2@1 0/2 old-a", "2@1 1/2 old-2", "5@4 0/1 last"]);
    }

    [Fact]
    public async Task Reader_that_is_told_no_aggregate_type_has_what_is_in_the_log()
    {
        Write(Timer("first"));
        Write(Owner("old"));
        var raw = new HistoryReader(Kafka, _topics, _serde);
        (await raw.ReadPartitionAsync(0, 0, Cancellation).Select(e => e.Payload.GetType()).ToListAsync(Cancellation))
            .ShouldBe([typeof(TimerSet), typeof(PartitionOwner)]);
    }

    [Fact]
    public async Task Withdrawn_events_are_counted_by_aggregate_type_and_type()
    {
        long counted = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Name == "kes_events_ignored")
                    l.EnableMeasurementEvents(instrument);
            },
        };
        string aggregate = TestServers.UniqueName("thing");
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.Contains(new("aggregate", aggregate)) && tags.Contains(new("type", "T.Renamed")))
                counted += value;
        });
        listener.Start();
        await WriteOneOfEach();
        var history = new HistoryReader(Kafka, _topics, _serde, AggregateDefinition.Define(aggregate, "")
            .Decides<CommandReply>((_, _) => Decision.Nothing).Evolves<TimerSet>((s, _) => s).Ignores("T.Renamed").Build());
        await foreach (RecordedEvent _ in history.ReadPartitionAsync(0, 0, Cancellation))
            continue;
        counted.ShouldBe(1);
    }

    [Fact]
    public async Task Event_whose_upcast_throws_is_an_error_that_names_its_place_and_type()
    {
        Write(Owner("broken"));
        InvalidDataException wrong = await Should.ThrowAsync<InvalidDataException>(async () =>
            await History.ReadPartitionAsync(0, 0, Cancellation).ToListAsync(Cancellation));
        wrong.Message.ShouldBe($"The event {_topics.Events} 0@0, PartitionOwner of a, cannot be upcast: It has no node.");
        wrong.InnerException.ShouldBeOfType<InvalidOperationException>();
    }

    // A batch that is not taken comes by halves: cut between those that one event of the log is upcast to, the position behind the first
    // half was that of the event itself.
    [Theory]
    [InlineData(0)]
    [InlineData(0, 1)]
    [InlineData(0, 3)]
    [InlineData(1, 1, 1)]
    [InlineData(2, 1, 1, 1, 1)]
    [InlineData(3, 1, 2, 1)]
    [InlineData(3, 3, 2)]
    [InlineData(1, 1, 4)]
    [InlineData(4, 2, 2, 2, 2)]
    [InlineData(8, 1, 1, 2, 2, 2, 2, 2, 2)]
    public void Middle_of_a_batch_is_between_events_of_the_log(int middle, params int[] parts)
    {
        RecordedEvent[] events = [.. parts.SelectMany((count, offset) => Enumerable.Range(0, count).Select(part => new RecordedEvent
        {
            AggregateId = AggregateId.Parse("a"),
            Version = offset + 1,
            Payload = "",
            Part = part,
            Parts = count,
            Partition = 0,
            Offset = offset,
            Time = DateTimeOffset.UnixEpoch,
            CommandId = CommandId.Parse("c"),
        }))];
        PartitionPump.Middle(events).ShouldBe(middle);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1_000)]
    public async Task Subscription_hands_over_all_that_an_event_is_upcast_to_in_one_batch_also_by_halves(int maxBatchEvents)
    {
        const int owners = 7;
        Write(Timer("first"));
        for (int i = 0; i < owners; i++)
            Write(Owner($"old{i}"));
        await WriteWithdrawn();
        Write(new SnapshotBarrier { NextEventOffset = 1, Aggregates = 1, Time = DateTimeOffset.UnixEpoch });

        var taken = new List<string>();
        var torn = new List<string>();
        var refused = new HashSet<long>();
        var positions = new List<(long From, long Next)>();
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = new EventSubscriptionOptions { GroupId = $"{_topics.Application}-{maxBatchEvents}", MaxBatchEvents = maxBatchEvents };
        var subscription = new EventSubscription(Kafka, _topics, _serde, options, TimeProvider.System, NullLoggerFactory.Instance, Things);
        Task running = subscription.RunAsync((_, _) => default, Handle, _stop.Token);
        await (await Task.WhenAny(all.Task, running)).WaitAsync(Cancellation);
        await _stop.CancelAsync();
        await running.WaitAsync(Cancellation);

        torn.ShouldBeEmpty();
        taken.ShouldBe(["1@0 0/1 first", .. Enumerable.Range(0, owners).SelectMany(i =>
            new[] { $"{i + 2}@{i + 1} 0/2 old{i}-a", $"{i + 2}@{i + 1} 1/2 old{i}-{i + 2}" })]);
        positions.Zip(positions.Skip(1)).ShouldAllBe(p => p.First.Next == p.Second.From);
        positions[^1].Next.ShouldBeGreaterThanOrEqualTo(owners + 3); // past those that are read as none

        Task Handle(EventBatch batch, CancellationToken cancellationToken)
        {
            if (batch.Events.GroupBy(e => e.Offset).Any(g => g.Count() != g.First().Parts)
                || batch.Events.Any(e => e.Offset < batch.FromOffset || e.Offset >= batch.NextOffset))
                torn.Add(string.Join(", ", batch.Events.Select(Told)));
            if (batch.Events.Select(e => e.Offset).Distinct().Count() > 1 && refused.Add(batch.NextOffset))
                throw new InvalidDataException("by halves, please");
            taken.AddRange(batch.Events.Select(Told));
            positions.Add((batch.FromOffset, batch.NextOffset));
            if (batch.NextOffset >= owners + 3)
                all.TrySetResult();
            return Task.CompletedTask;
        }
    }

    private static string Told(RecordedEvent e) =>
        $"{e.Version}@{e.Offset} {e.Part}/{e.Parts} {((TimerSet)e.Payload).Name}";

    private static TimerSet Timer(string name) => new() { Name = name, Due = DateTimeOffset.UnixEpoch };

    private static PartitionOwner Owner(string node) =>
        new() { Node = node, Status = OwnerStatus.Serving, Time = DateTimeOffset.UnixEpoch };

    // A timer, an owner, a type that the code does not have, a barrier, a timer.
    private async Task WriteOneOfEach()
    {
        Write(Timer("first"));
        Write(Owner("old"));
        await WriteWithdrawn();
        Write(new SnapshotBarrier { NextEventOffset = 1, Aggregates = 1, Time = DateTimeOffset.UnixEpoch });
        Write(Timer("last"));
    }

    private async Task WriteWithdrawn()
    {
        int id = await _registry.RegisterSchemaAsync($"{_topics.Events}-T.Renamed", new Schema(Withdrawn, SchemaType.Avro));
        var value = new System.Buffers.ArrayBufferWriter<byte>();
        WireFormat.WriteHeader(value, id);
        Write([.. value.WrittenSpan, 2, (byte)'x']);
    }

    private void Write(IAvroRecord payload)
    {
        var value = new System.Buffers.ArrayBufferWriter<byte>();
        _encoder.Encode(payload, value);
        Write(value.WrittenSpan.ToArray());
    }

    private void Write(byte[] value)
    {
        var headers = new Headers
        {
            { CloudEventHeaders.Sequence, CloudEventHeaders.Encode(++_version) },
            { CloudEventHeaders.Time, CloudEventHeaders.Encode(DateTimeOffset.UnixEpoch) },
            { CloudEventHeaders.CausationId, CloudEventHeaders.Encode(_version) },
        };
        _producer.Produce(new TopicPartition(_topics.Events, 0),
            new Message<byte[], byte[]> { Key = "a"u8.ToArray(), Value = value, Headers = headers });
        _producer.Flush(Cancellation);
    }
}
