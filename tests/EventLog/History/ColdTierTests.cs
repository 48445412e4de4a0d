using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>
/// Readers of a partition whose first records have left the topic: they read the cold tier first and the topic behind it, without gap or
/// repeat, also while more records leave.
/// </summary>
public sealed class ColdTierTests(ServersFixture fixture) : IClassFixture<ServersFixture>, IAsyncLifetime
{
    private const int Count = 30;
    private static readonly long[] All = [.. Enumerable.Range(0, Count).Select(i => (long)i)];

    private readonly MemoryColdTier _cold = new();
    private TopicFamily _topics = null!;
    private KafkaConnection _kafka = null!;
    private IReadOnlyList<ConsumeResult<byte[], byte[]>> _records = [];
    private CachedSchemaRegistryClient _registry = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private TopicPartition Partition => new(_topics.Events, 0);

    public async ValueTask InitializeAsync()
    {
        KafkaConnection plain = fixture.Servers.Addresses.KafkaConnection;
        _registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = fixture.Servers.Addresses.Registry });
        _topics = new TopicFamily(TestServers.UniqueName("app"), "thing");
        using var provisioner = new TopicProvisioner(plain);
        await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, 1, -1), Cancellation), Cancellation);
        await Produce(plain);
        _records = await Task.Run(() => PartitionLogReader.Read(plain, "test", Partition, 0, Cancellation).ToArray(), Cancellation);
        _kafka = plain with { Cold = _cold };
    }

    public ValueTask DisposeAsync()
    {
        _registry.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Records_are_read_from_the_cold_tier_and_then_from_the_topic_each_once(bool isExact)
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        foreach (long from in (long[])[0, 5, 9, 11, 12, 20])
            (await Read(from, isExact)).ShouldBe(All.Where(o => o >= from));
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_kafka, "test", isExact);
        (await Task.Run(() => reader.Bounds(Partition, Cancellation), Cancellation)).Low.Value.ShouldBe(0);
    }

    // What retention takes away behind the reader's back is in the cold tier by then.
    [Fact]
    public async Task Records_that_leave_the_topic_while_it_is_read_are_read_all_the_same()
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        var once = new Lazy<bool>(() =>
        {
            _cold.Add(_records, 12, 25);
            Delete(22).Wait(Cancellation);
            return true;
        });
        _cold.Reading = offset => _ = offset == 11 && once.Value;
        (await Read(0, isExact: true)).ShouldBe(All);
        once.IsValueCreated.ShouldBeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Events_between_the_cold_tier_and_the_topic_that_are_in_neither_stop_who_reads(bool isExact)
    {
        _cold.Add(_records, 0, 5);
        await Delete(9);
        ArchiveDamagedException gap = await Should.ThrowAsync<ArchiveDamagedException>(Read(0, isExact));
        gap.Message.ShouldContain("begins at offset 9 in partition 0, and what is archived of it ends at 5");
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_kafka, "test", isExact);
        await Should.ThrowAsync<ArchiveDamagedException>(Task.Run(() => reader.Bounds(Partition, Cancellation), Cancellation));
        (await Read(9, isExact)).ShouldBe(All.Where(o => o >= 9));
    }

    [Fact]
    public async Task Archive_that_cannot_be_read_is_as_a_cluster_that_does_not_answer()
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        _cold.Failure = new IOException("The disk is away.");
        KafkaException away = await Should.ThrowAsync<KafkaException>(Read(0, isExact: true));
        away.Error.Reason.ShouldBe($"What is archived of {_topics.Events}, partition 0, cannot be read: The disk is away.");
    }

    [Fact]
    public async Task Offsets_that_are_in_neither_are_an_error_for_who_must_have_them_and_else_passed_over()
    {
        await Delete(3);
        _cold.Add(_records, 3, 12);
        await Delete(9);
        (await Read(0, isExact: false)).ShouldBe(All.Where(o => o >= 3));
        await Should.ThrowAsync<ConsumeException>(Read(0, isExact: true));
    }

    [Fact]
    public async Task Single_records_and_those_of_one_key_come_from_both()
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        using PartitionLogReader places = PartitionLogReader.AtPlaces(_kafka, "test");
        long[] wanted = [2, 8, 9, 14];
        (await Task.Run(() => places.ReadAt(Partition, wanted, Cancellation).Select(r => r.Offset.Value).ToArray(), Cancellation))
            .ShouldBe(wanted);
        long[] ofKey = await Task.Run(() =>
            PartitionLogReader.ReadKey(_kafka, "test", Partition, "k1"u8.ToArray(), 4, 26, Cancellation).Select(r => r.Offset.Value)
                .ToArray(), Cancellation);
        ofKey.ShouldBe(All.Where(o => o is >= 4 and < 26 && o % 3 == 1));
        _cold.Reads.ShouldBe(2); // those at the places: what has another key was not read
    }

    [Fact]
    public async Task Offset_at_a_time_is_looked_for_in_the_cold_tier_too()
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_kafka, "test");
        foreach (long offset in (long[])[0, 4, 9, 20])
            (await Task.Run(() => reader.OffsetAt(Partition, TimeOf(offset), Cancellation), Cancellation)).ShouldBe(offset);
    }

    [Fact]
    public async Task History_begins_where_the_cold_tier_does()
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        var history = new HistoryReader(_kafka, _topics, AvroMessageSerde.Create(_registry, []));
        (await history.ExtentAsync(Cancellation)).Partitions[0].ShouldBe(new PartitionExtent(0, Count));
        var versions = new List<long>();
        await foreach (RecordedEvent read in history.ReadAggregateAsync(AggregateId.Parse("k1"), Cancellation))
            versions.Add(read.Version);
        versions.ShouldBe(Enumerable.Range(1, Count / 3).Select(i => (long)i));
    }

    // A new subscription began at the first event that was still in the topic.
    [Fact]
    public async Task New_subscription_gets_what_has_left_the_topic_and_goes_on_with_what_comes()
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        await using var running = new Reading(this, null);
        (await running.Until(Count)).ShouldBe(All);
        await Produce(fixture.Servers.Addresses.KafkaConnection);
        (await running.Until(2 * Count)).ShouldBe([.. All, .. All.Select(o => o + Count)]);
    }

    [Fact]
    public async Task Subscription_goes_on_in_the_middle_of_what_has_left_the_topic()
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        await using var running = new Reading(this, 4);
        (await running.Until(Count - 4)).ShouldBe(All[4..]);
    }

    [Fact]
    public async Task Subscription_stands_still_at_a_damaged_archive_says_so_and_goes_on_when_it_is_whole()
    {
        _cold.Add(_records, 0, 12);
        await Delete(9);
        _cold.Reading = offset =>
        {
            if (offset == 6)
                throw new ArchiveDamagedException("A file is missing.");
        };
        await using var running = new Reading(this, null);
        (await running.Stopped.WaitAsync(Cancellation)).ShouldBe("A file is missing.");
        running.Offsets.ShouldBe(All[..6]);
        _cold.Reading = static _ => { };
        (await running.Until(Count)).ShouldBe(All);
    }

    private static DateTimeOffset TimeOf(long offset) => DateTimeOffset.UnixEpoch.AddDays(20_000).AddSeconds(offset);

    private Task<long[]> Read(long from, bool isExact) => Task.Run(
        () =>
        {
            using PartitionLogReader reader = PartitionLogReader.ToEnd(_kafka, "test", isExact);
            return reader.Read(Partition, from, Cancellation).Select(r => r.Offset.Value).ToArray();
        },
        Cancellation);

    private async Task Delete(long before)
    {
        using IAdminClient admin = new AdminClientBuilder(fixture.Servers.Addresses.KafkaConnection.Admin()).Build();
        await admin.DeleteRecordsAsync([new TopicPartitionOffset(Partition, before)]);
    }

    // Events of three aggregates, as a node writes them; their type is one of the engine's own.
    private async Task Produce(KafkaConnection kafka)
    {
        TopicEncoder encoder = await AvroMessageSerde.Create(_registry, []).PrepareAsync(_topics.Events, [typeof(CommandReply)],
            Cancellation);
        var buffer = new PooledBuffer();
        encoder.Encode(new CommandReply
        {
            CommandId = "c",
            AggregateId = "a",
            Outcome = ReplyOutcome.Rejected,
            Version = 1,
            EventPartition = -1,
            EventOffset = -1,
            Message = "",
        }, buffer);
        byte[] value = buffer.WrittenSpan.ToArray();
        buffer.Reset();
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(kafka.Producer()).Build();
        int first = _records.Count;
        for (int i = first; i < first + Count; i++)
        {
            producer.Produce(Partition, new Message<byte[], byte[]>
            {
                Key = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"k{i % 3}")),
                Value = value,
                Timestamp = new Timestamp(TimeOf(i)),
                Headers = new Headers
                {
                    { CloudEventHeaders.Sequence, CloudEventHeaders.Encode((i / 3) + 1) },
                    { CloudEventHeaders.Time, CloudEventHeaders.Encode(TimeOf(i)) },
                    { CloudEventHeaders.CausationId, CloudEventHeaders.Encode(i) },
                },
            });
        }

        producer.Flush(Cancellation);
    }

    private sealed class Reading : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly SemaphoreSlim _handled = new(0);
        private readonly ConcurrentQueue<long> _offsets = new();
        private readonly EventSubscription _subscription;
        private readonly Task _running;
        private long? _next;

        public Reading(ColdTierTests test, long? start)
        {
            _next = start;
            _subscription = new EventSubscription(test._kafka, test._topics, AvroMessageSerde.Create(test._registry, []),
                new EventSubscriptionOptions { GroupId = $"{test._topics.Application}-readers" }, TimeProvider.System,
                NullLoggerFactory.Instance);
            _running = _subscription.RunAsync(
                (_, _) => ValueTask.FromResult(_next),
                (batch, _) =>
                {
                    foreach (RecordedEvent read in batch.Events)
                        _offsets.Enqueue(read.Offset);
                    _next = batch.NextOffset;
                    _handled.Release();
                    return Task.CompletedTask;
                },
                _stop.Token);
        }

        public IReadOnlyCollection<long> Offsets => _offsets;

        public async Task<IReadOnlyCollection<long>> Until(int count)
        {
            while (_offsets.Count < count)
                await (await Task.WhenAny(_handled.WaitAsync(Cancellation), _running)).WaitAsync(Cancellation);
            return _offsets;
        }

        public Task<string> Stopped => _subscription.Stops.Any;

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running;
            _stop.Dispose();
            _handled.Dispose();
        }
    }
}
