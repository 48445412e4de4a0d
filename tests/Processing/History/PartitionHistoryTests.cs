using System.Text;
using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>
/// Histories of single aggregates, of a store that has all of their events, some, or none: they are what the log says in each case.
/// </summary>
public sealed class PartitionHistoryTests(ProcessingFixture fixture) : IClassFixture<ProcessingFixture>, IDisposable
{
    private const int Events = 60;

    private readonly TemporaryFolder _folder = new();
    private readonly TopicFamily _topics = new(TestServers.UniqueName("history"), "counter");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true, 0, 0)]
    [InlineData(false, 0, 0)] // places, which are fetched one by one
    [InlineData(true, 40, 0)]
    [InlineData(true, 200, 0)]
    [InlineData(true, 40, 20)] // a backfill has come half the way
    public async Task History_is_that_of_the_log_whatever_the_store_has_of_it(bool keepsEvents, int gapTo, int gapFrom)
    {
        (PartitionContext context, WrittenLog log) = await Written(keepsEvents);
        using (log)
        using (StateStore store = Folded(context, log.End(), gapFrom, gapTo))
        {
            var reads = new StoreReads(store, 0);
            using var history = new PartitionHistory(context, 0, reads, Parked(context));
            foreach (string aggregate in (string[])["a", "b", "c", "d", "e"])
                await ReadsAs(history, aggregate, [.. log.All.Where(e => e.Aggregate == aggregate)]);
            (await history.Read(AggregateId.Parse("nobody"), new HistoryQuery(), Cancellation)).ShouldBeNull();

            await new IndexBackfill(context, 0, store, reads).RunAsync(Cancellation);
            store.Index.Gap.IsEmpty.ShouldBeTrue();
            foreach (IGrouping<string, WrittenEvent> events in log.All.GroupBy(e => e.Aggregate))
            {
                await ReadsAs(history, events.Key, [.. events]);
                store.Index.Read(AggregateId.Parse(events.Key), 1, long.MaxValue).Select(e => e.Offset)
                    .ShouldBe(events.Select(e => e.Offset));
            }

            reads.Close();
            Should.Throw<AggregateUnavailableException>(() =>
                history.Read(AggregateId.Parse("a"), new HistoryQuery(), Cancellation).AsTask().GetAwaiter().GetResult());
        }
    }

    // A record that somebody else appended under a version that is there already would have taken its place.
    [Fact]
    public async Task Record_that_is_no_event_of_the_fold_is_none_of_the_history_either()
    {
        (PartitionContext context, WrittenLog log) = await Written(keepsEvents: true);
        using (log)
        {
            WrittenEvent first = log.All.First(e => e.Aggregate == "a");
            using (IProducer<byte[], byte[]> other = new ProducerBuilder<byte[], byte[]>(fixture.Kafka.Producer()).Build())
            {
                foreach (long version in (long[])[1, 1_000])
                {
                    await other.ProduceAsync(new TopicPartition(_topics.Events, 0), new Message<byte[], byte[]>
                    {
                        Key = "a"u8.ToArray(),
                        Value = fixture.Encode(new Added { By = 99 }),
                        Headers = new Headers
                        {
                            { CloudEventHeaders.Sequence, CloudEventHeaders.Encode(version) },
                            { CloudEventHeaders.Time, CloudEventHeaders.Encode(ProcessingFixture.RecordTime) },
                            { CloudEventHeaders.CausationId, "other"u8.ToArray() },
                        },
                    }, Cancellation);
                }
            }

            long end = log.End();
            using StateStore store = Folded(context, end, 0, (int)end);
            var reads = new StoreReads(store, 0);
            using var history = new PartitionHistory(context, 0, reads, Parked(context));
            await ReadsAs(history, "a", [.. log.All.Where(e => e.Aggregate == "a")]);
            await new IndexBackfill(context, 0, store, reads).RunAsync(Cancellation);
            await ReadsAs(history, "a", [.. log.All.Where(e => e.Aggregate == "a")]);
            store.Index.OffsetOf("a"u8, 1).ShouldBe(first.Offset);
            store.Index.OffsetOf("a"u8, 1_000).ShouldBeNull();
            reads.Close();
        }
    }

    [Fact]
    public async Task Events_that_the_log_does_not_have_any_more_are_named_and_not_passed_over()
    {
        (PartitionContext context, WrittenLog log) = await Written(keepsEvents: true);
        using (log)
        using (StateStore store = Folded(context, log.End(), 0, (int)log.End()))
        {
            WrittenEvent[] events = [.. log.All.Where(e => e.Aggregate == "a")];
            using (IAdminClient admin = new AdminClientBuilder(fixture.Kafka.Admin()).Build())
                await admin.DeleteRecordsAsync([new TopicPartitionOffset(_topics.Events, 0, events[2].Offset)]);
            var reads = new StoreReads(store, 0);
            using var history = new PartitionHistory(context, 0, reads, Parked(context));
            HistoryGoneException gone = await Should.ThrowAsync<HistoryGoneException>(async () =>
                await history.Read(AggregateId.Parse("a"), new HistoryQuery { Limit = 4 }, Cancellation));
            (gone.AggregateId.Value, gone.First, gone.Last).ShouldBe(("a", 1, 2));
            gone.Message.ShouldContain($"{_topics.Events} does not have the versions 1 to 2 of the counter 'a'");
            StoredHistory rest = (await history.Read(AggregateId.Parse("a"), new HistoryQuery { From = 3 }, Cancellation))!;
            rest.Events.Select(e => e.Offset).ShouldBe(events[2..].Select(e => e.Offset));
            reads.Close();
        }
    }

    [Fact]
    public async Task Page_ends_before_its_events_are_much_and_is_read_by_another_node_as_it_is()
    {
        PartitionContext context = await Context(keepsEvents: true);
        using StateStore store = Counter.Open(context.Options.StoreOf(0));
        for (int version = 1; version <= 5; version++)
        {
            store.PutEvent("a"u8, new EventHead(AggregateId.Parse("a"), version, ProcessingFixture.RecordTime, CommandId.Parse("c"),
                version % 2 == 0 ? "other" : null), version * 2, new byte[EventIndex.MaxKeptBytes]);
        }

        store.PutState(new AggregateEntry(AggregateId.Parse("a"), new Count { Total = 0 }) { Version = 5, EventOffset = 10 });
        store.Write(11);
        var reads = new StoreReads(store, 0);
        ParkedAggregates parked = Parked(context);
        parked.PassOver(6);
        using var history = new PartitionHistory(context, 0, reads, parked, maxPageBytes: 3 * EventIndex.MaxKeptBytes);
        StoredHistory page = (await history.Read(AggregateId.Parse("a"), new HistoryQuery(), Cancellation))!;
        (page.Events.Count, page.Next, page.Version, page.LastOffset).ShouldBe((2, 3, 5, 10));
        StoredHistory newest = (await history.Read(AggregateId.Parse("a"), new HistoryQuery { IsDescending = true, From = 4 },
            Cancellation))!;
        newest.Events.Select(e => e.Head.Version).ShouldBe([4, 3]);
        newest.Next.ShouldBe(2);

        StoredHistory read = HistoryCodec.Decode(AggregateId.Parse("a"), HistoryCodec.Encode(newest));
        (read.Version, read.LastOffset, read.Next).ShouldBe((5, 10, 2));
        read.Events.Select(e => (e.Head, e.Offset, e.IsDiscarded)).ShouldBe(newest.Events.Select(e => (e.Head, e.Offset, e.IsDiscarded)));
        read.Events.Select(e => e.IsDiscarded).ShouldBe([false, true]);
        read.Events.ShouldAllBe(e => e.Value.Length == EventIndex.MaxKeptBytes);
        reads.Close();
    }

    private async Task ReadsAs(PartitionHistory history, string aggregate, WrittenEvent[] events)
    {
        var codec = new HistoryCodec(fixture.Serde, _topics, Counter.Definition);
        AggregateId id = AggregateId.Parse(aggregate);
        foreach (bool isDescending in (bool[])[false, true])
        {
            var entries = new List<HistoryEntry>();
            long? next = null;
            do
            {
                HistoryPage page = codec.Read(id, 0, (await history.Read(id,
                    new HistoryQuery { From = next, Limit = 7, IsDescending = isDescending }, Cancellation))!);
                (page.Version, page.Token.Offset).ShouldBe((events.Length, events[^1].Offset));
                entries.AddRange(page.Entries);
                next = page.Next;
            }
            while (next is not null);
            if (isDescending)
                entries.Reverse();
            entries.Select(e => (e.Version, e.Token.Offset, e.CommandId.Value, ((Added)e.Events.Single().Payload).By, e.Time)).ShouldBe(
                events.Select(e => (e.Version, e.Offset, e.Command, e.By, ProcessingFixture.RecordTime)));
        }
    }

    private async Task<(PartitionContext Context, WrittenLog Log)> Written(bool keepsEvents)
    {
        PartitionContext context = await Context(keepsEvents);
        var log = new WrittenLog(fixture, _topics, "d");
        log.Write(new Random(5), Events);
        return (context, log);
    }

    // A store with the states of all events, as one that was filled from snapshots; what is in the gap is not in the index.
    private StateStore Folded(PartitionContext context, long end, int gapFrom, int gapTo)
    {
        StateStore store = StateStore.Open(context.Options.StoreOf(0), context.Definition, Counter.State, 4,
            options: context.Options.StateStores);
        ParkedAggregates parked = Parked(context);
        new EventReplay(fixture.Kafka, new EventFolder(context, 0, new SchemaRegistryRetry(NullLogger.Instance, 0), store,
            new AggregateCache(store, context.Definition, 1_000_000), parked)).Run(end, (_, _, _) => { }, Cancellation);
        if (gapTo == 0)
            return store;
        store.Dispose();
        using (RocksDbSharp.RocksDb raw = StoreMemory.OfProcess.Open(context.Options.StoreOf(0), 256))
        {
            var lacking = new List<byte[]>();
            using (RocksDbSharp.Iterator all = raw.NewIterator())
            {
                for (all.Seek([StoreKeys.Index]); all.Valid() && all.Key()[0] == StoreKeys.Index; all.Next())
                {
                    if (IndexedEvent.Read(1, all.Value()).Offset is var offset && offset >= gapFrom && offset < gapTo)
                        lacking.Add(all.Key());
                }
            }

            lacking.Count.ShouldBeGreaterThan(0);
            lacking.ForEach(key => raw.Remove(key));
            raw.Put(StoreKeys.Gap, new IndexGap(gapFrom, gapTo).ToBytes());
        }

        return StateStore.Open(context.Options.StoreOf(0), context.Definition, Counter.State, 4, options: context.Options.StateStores);
    }

    private static ParkedAggregates Parked(PartitionContext context) => new(context.Topics, 0, TimeProvider.System);

    private async Task<PartitionContext> Context(bool keepsEvents)
    {
        using (var provisioner = new TopicProvisioner(fixture.Kafka))
            await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, 1, -1), Cancellation), Cancellation);
        var options = new CommandProcessorOptions
        {
            StateDirectory = _folder.Child("state"),
            StateStores = new StateStoreOptions { KeepEvents = keepsEvents },
        };
        return new PartitionContext(Counter.Definition, _topics, fixture.Kafka, fixture.Serde, fixture.Encoders,
            new NodeIdentity("n"), 1, 1,
            null!, options, TimeProvider.System, NullLogger.Instance);
    }
}
