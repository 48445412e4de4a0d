using Banking.Domain;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Stream;
using Streamiz.Kafka.Net.Table;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>What a topology of the user's gets from this library, beside what Streamiz does by itself.</summary>
public sealed class DslTests
{
    // By itself a window of 30 days has a grace of a day less 30 days.
    [Fact]
    public void Windows_of_a_month_of_Streamiz_alone_take_nothing_and_those_with_a_grace_that_is_said_take_all()
    {
        TimeSpan size = TimeSpan.FromDays(30);
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).Topology((_, sources) =>
        {
            IKGroupedStream<string, RecordedEvent> events = sources.Events(Account.Definition).GroupByKey();
            events.WindowedBy(TumblingWindowOptions.Of(size)).Count(InMemoryWindows.As<string, long>("bare", size)
                .With(sources.Keys, new Int64SerDes()).WithRetention(TimeSpan.FromDays(60)));
            events.WindowedBy(EventSources.Windows(size, TimeSpan.FromDays(1))).Count(
                sources.WindowStore("ours", new Int64SerDes(), size, TimeSpan.FromDays(1), TimeSpan.FromDays(60)));
        }).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(1, 1));

        TumblingWindowOptions.Of(size).GracePeriodMs.ShouldBeNegative();
        CountOf(streams, "bare", size).ShouldBe(0);
        CountOf(streams, "ours", size).ShouldBe(2);
    }

    // What comes after its window is forgotten and before it is closed would count from nothing.
    [Fact]
    public void Window_store_that_forgets_what_is_still_taken_is_refused()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).Topology((_, sources) =>
            sources.WindowStore("ours", new Int64SerDes(), TimeSpan.FromDays(1), TimeSpan.FromDays(7), TimeSpan.FromDays(2))).Build();
        Should.Throw<InvalidInputException>(() => EventStreamsTestDriver.Start(definition)).Message.ShouldContain("until 8.00:00:00");
    }

    // By itself Streamiz opens a RocksDB for each hour of event time.
    [Fact]
    public void Window_store_has_a_segment_for_half_of_its_retention()
    {
        TimeSpan day = TimeSpan.FromDays(1);
        TimeSpan retention = TimeSpan.FromDays(60);
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).Topology((_, sources) =>
        {
            IKGroupedStream<string, RecordedEvent> events = sources.Events(Account.Definition).GroupByKey();
            events.WindowedBy(EventSources.Windows(day, day)).Count(Materialized<string, long, IWindowStore<Bytes, byte[]>>.Create(
                Stores.PersistentWindowStore("bare", retention, day)).With(sources.Keys, new Int64SerDes()).WithRetention(retention));
            events.WindowedBy(EventSources.Windows(day, day)).Count(
                sources.WindowStore("ours", new Int64SerDes(), day, day, retention));
        }).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened());
        for (int days = 1; days < 8; days++)
            streams.Given(Account.Definition, "a", Noon.AddDays(days), Credited(1, days));

        SegmentsOf(streams, "bare").ShouldBe(8);
        SegmentsOf(streams, "ours").ShouldBeLessThanOrEqualTo(2);
    }

    // Streamiz' cache swallows the deletion of what is not in it.
    [Fact]
    public void Deletion_comes_out_of_a_store_without_a_cache()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).Topology((_, sources) =>
        {
            IKGroupedStream<string, RecordedEvent> events = sources.Events(Account.Definition).GroupByKey();
            Last(events, sources.Store("cached", new StringSerDes()).WithCachingEnabled(CacheSize.OfMb(1)), "cached-out");
            Last(events, sources.Store("ours", new StringSerDes()), "ours-out");
        }).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), new AccountClosed());
        streams.Driver.Commit();

        streams.ReadAll("ours-out").Select(r => r.Message.Value is null).ShouldBe([false, true]);
        streams.ReadAll("cached-out").Count(r => r.Message.Value is null).ShouldBe(0);
    }

    [Fact]
    public void Snapshots_and_values_of_Avro_go_through_the_dsl_with_keys_as_text()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).Snapshot(Account.Definition)
            .Topology((_, sources) => sources.Snapshots(Account.Definition).MapValues((snapshot, _) => snapshot!.State)
                .To("states", sources.Keys, sources.Avro<AccountState>())).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(5, 5));
        streams.ReadAll("states").Select(r => streams.Decode<AccountState>(r.Message.Value)!.Balance).ShouldBe([0, 5]);
    }

    [Fact]
    public void Settings_are_not_those_that_Streamiz_has_by_itself()
    {
        var connection = new EventLog.KafkaConnection { BootstrapServers = "localhost:9092" };
        StreamConfig ours = StreamSettings.Of(Snapshots(), new EventStreamsOptions(), connection, "/var/lib/kes",
            Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance);
        var bare = new StreamConfig();
        (bare.AutoOffsetReset, ours.AutoOffsetReset).ShouldBe((null, Confluent.Kafka.AutoOffsetReset.Earliest));
        (bare.MaxPollRestoringRecords, ours.MaxPollRestoringRecords).ShouldBe((1_000, 20_000));
        bare.StateDir.ShouldStartWith(Path.GetTempPath());
        ours.StateDir.ShouldBe("/var/lib/kes");
        (ours.Guarantee, ours.CommitIntervalMs, ours.DefaultCacheEnabled).ShouldBe((ProcessingGuarantee.EXACTLY_ONCE, 200, false));
    }

    private static void Last(IKGroupedStream<string, RecordedEvent> events,
        Materialized<string, string, IKeyValueStore<Bytes, byte[]>> store, string topic) =>
        events.Aggregate(() => "", (_, recorded, _) => recorded.Payload is AccountClosed ? null! : recorded.Payload.GetType().Name, store)
            .ToStream().To(topic, new StringSerDes(), new StringSerDes());

    private static long CountOf(EventStreamsTestDriver streams, string store, TimeSpan size)
    {
        long time = Noon.ToUnixTimeMilliseconds();
        return streams.Driver.GetWindowStore<string, long>(store).Fetch("a", time - (time % (long)size.TotalMilliseconds));
    }

    private static int SegmentsOf(EventStreamsTestDriver streams, string store) =>
        Directory.GetFiles(streams.Folder, "CURRENT", SearchOption.AllDirectories).Count(f =>
            Path.GetFileName(Path.GetDirectoryName(f))!.StartsWith(store, StringComparison.Ordinal));
}
