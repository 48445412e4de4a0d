using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>
/// A store, or snapshots, of a log that is not there any more. Such a store was filled again from what there was, and the node appended to
/// it.
/// </summary>
public sealed class StoreOpeningTests(ProcessingFixture fixture) : IClassFixture<ProcessingFixture>, IDisposable
{
    private static readonly TimeSpan TransactionTimeout = TimeSpan.FromSeconds(30);
    private static readonly TopicIdentities Now = new(TopicId.From(1, 1), TopicId.From(1, 2), TopicId.From(1, 3),
        TopicId.From(1, 4), default);

    private readonly TemporaryFolder _folder = new();
    private readonly TopicFamily _topics = new(TestServers.UniqueName("opening"), "counter");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Store_that_has_seen_more_than_the_log_has_is_refused()
    {
        PartitionContext context = await Context();
        using (StateStore store = Open(context))
        {
            store.PutTopics(Now);
            store.Write(5);
            store.Flush();
        }

        UnexpectedLogException refused = Should.Throw<UnexpectedLogException>(() =>
            Opening(context).Open(Parked(context), Now, null, Cancellation));
        refused.Message.ShouldContain($"{_topics.Events} ends at offset 0 in partition 0");
        refused.Message.ShouldContain("has seen it up to 5");
        using StateStore kept = Open(context);
        kept.Checkpoint.ShouldBe(5);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Store_or_snapshots_of_another_topic_of_the_name_are_refused(bool ofStore)
    {
        PartitionContext context = await Context();
        TopicIdentities before = Now with { Events = TopicId.From(9, 9) };
        if (ofStore)
        {
            using StateStore store = Open(context);
            store.PutTopics(before);
            store.Write(1); // within what there is
            store.Flush();
        }

        Produce(_topics.Events, "a"u8.ToArray(), [0]);
        UnexpectedLogException refused = Should.Throw<UnexpectedLogException>(() =>
            Opening(context).Open(Parked(context), Now, ofStore ? null : before.At(0, 1), Cancellation));
        refused.Topic.ShouldBe(_topics.Events);
        refused.Message.ShouldContain($"has the id {Now.Events}");
        refused.Message.ShouldContain($"{before.Events}");
    }

    [Fact]
    public async Task Dead_letters_that_were_there_and_are_in_a_topic_no_more_are_missed()
    {
        PartitionContext context = await Context();
        Should.Throw<UnexpectedLogException>(() =>
            Opening(context).Open(Parked(context), Now, (Now with { DeadLetters = TopicId.From(9, 9) }).At(0, 0), Cancellation))
            .Topic.ShouldBe(_topics.DeadLetters);
        // Nothing rests on one that was empty.
        Opening(context).Open(Parked(context), Now, Now.With(deadLetters: false).At(0, 0), Cancellation).Store.Dispose();
    }

    [Fact]
    public async Task Snapshots_that_are_fewer_than_the_barrier_says_are_not_loaded()
    {
        PartitionContext context = await Context();
        TopicEncoder encoder = await context.Serde.PrepareAsync(_topics.Snapshots, [typeof(AggregateSnapshot), typeof(SnapshotBarrier)],
            Cancellation);
        Produce(_topics.Events, "a"u8.ToArray(), [0]);
        var snapshot = new AggregateSnapshot
        {
            Version = 1,
            EventOffset = 0,
            StateSchema = Counter.State.Fingerprint,
            State = StateOf(3),
            RecentCommands = [],
        };
        Produce(_topics.Snapshots, "a"u8.ToArray(), Encode(encoder, snapshot));
        Produce(_topics.Snapshots, SnapshotReader.BarrierKey,
            Encode(encoder, new SnapshotBarrier
            {
                NextEventOffset = 1,
                Aggregates = 1,
                Time = ProcessingFixture.RecordTime,
                TotalAggregates = 2,
            }));
        using (StateStore store = Opening(context).Open(Parked(context), Now, null, Cancellation).Store)
            (store.Checkpoint, store.Aggregates).ShouldBe((0, 0));

        Produce(_topics.Snapshots, SnapshotReader.BarrierKey,
            Encode(encoder, new SnapshotBarrier
            {
                NextEventOffset = 1,
                Aggregates = 1,
                Time = ProcessingFixture.RecordTime,
                TotalAggregates = 1,
            }));
        using StateStore whole = Opening(context).Open(Parked(context), Now, null, Cancellation).Store;
        (whole.Checkpoint, whole.Aggregates).ShouldBe((1, 1));
    }

    [Fact]
    public async Task Newest_position_is_found_from_the_end_of_the_topic_whatever_is_behind_it()
    {
        PartitionContext context = await Context();
        TopicEncoder encoder = await context.Serde.PrepareAsync(_topics.Snapshots,
            [typeof(AggregateSnapshot), typeof(SnapshotBarrier), typeof(PartitionPosition)], Cancellation);
        PartitionPosition? Read() => new PositionReader(context, 0, new SchemaRegistryRetry(NullLogger.Instance, 0)).Read(Cancellation);
        Read().ShouldBeNull();

        Produce(_topics.Snapshots, SnapshotReader.PositionKey, Encode(encoder, Now.At(3, 8)));
        Produce(_topics.Snapshots, "a"u8.ToArray(), [1, 2, 3], times: 400);
        Read().ShouldBe(Now.At(3, 8));
        Produce(_topics.Snapshots, SnapshotReader.BarrierKey,
            Encode(encoder, new SnapshotBarrier
            {
                NextEventOffset = 9,
                Aggregates = 0,
                Time = ProcessingFixture.RecordTime,
                Position = Now.At(4, 9),
            }));
        Read().ShouldBe(Now.At(4, 9));
        Produce(_topics.Snapshots, SnapshotReader.PositionKey, [1, 2, 3]);
        Read().ShouldBe(Now.At(4, 9)); // somebody else's
        Abort(SnapshotReader.PositionKey, Encode(encoder, Now.At(100, 9)), 40);
        Read().ShouldBe(Now.At(4, 9));
    }

    private static StateStore Open(PartitionContext context) => Counter.Open(context.Options.StoreOf(0), context.Options.RecentCommands);

    private static StoreOpening Opening(PartitionContext context) => new(context, 0, new SchemaRegistryRetry(NullLogger.Instance, 0));

    private static ParkedAggregates Parked(PartitionContext context) => new(context.Topics, 0, TimeProvider.System);

    private static byte[] Encode(TopicEncoder encoder, IAvroRecord value)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        encoder.Encode(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    private static byte[] StateOf(long total)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        new Counting.Count { Total = total }.WriteTo(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private async Task<PartitionContext> Context()
    {
        using (var provisioner = new TopicProvisioner(fixture.Kafka))
            await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, 1, -1), Cancellation), Cancellation);
        var options = new CommandProcessorOptions { StateDirectory = _folder.Child("state") };
        return new PartitionContext(Counter.Definition, _topics, fixture.Kafka, fixture.Serde, fixture.Encoders, new NodeIdentity("n"), 1,
            1, null!, options, TimeProvider.System, NullLogger.Instance);
    }

    private void Produce(string topic, byte[] key, byte[] value, int times = 1)
    {
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(fixture.Kafka.Producer()).Build();
        for (int i = 0; i < times; i++)
            producer.Produce(new TopicPartition(topic, 0), new Message<byte[], byte[]> { Key = key, Value = value });
        producer.Flush(Cancellation);
    }

    private void Abort(byte[] key, byte[] value, int times)
    {
        ProducerConfig config = fixture.Kafka.Producer();
        config.TransactionalId = TestServers.UniqueName("writer");
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(config).Build();
        producer.InitTransactions(TransactionTimeout);
        producer.BeginTransaction();
        for (int i = 0; i < times; i++)
            producer.Produce(new TopicPartition(_topics.Snapshots, 0), new Message<byte[], byte[]> { Key = key, Value = value });
        producer.Flush(Cancellation);
        producer.AbortTransaction(TransactionTimeout);
    }
}
