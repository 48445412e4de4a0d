using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.Table;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>Streams on a broker: what a crash, an aborted transaction and a lost folder leave right, and Streamiz alone leaves
/// wrong.</summary>
public sealed class RunningStreamsTests(RunningStreamsTests.Fixture fixture) : IClassFixture<RunningStreamsTests.Fixture>
{
    private static readonly DateOnly November = new(2026, 11, 1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)] // the group's positions have expired: its stores are there, and it begins with the first event
    public async Task Stores_and_topics_are_right_after_all_events_come_again_and_a_count_of_Streamiz_is_not(bool exactlyOnce,
        bool withoutPositions)
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 4, credits: 5);
        EventStreamsDefinition definition = Definition(log.Name);
        await using (EventStreamsRunner first = log.Start(definition, exactlyOnce))
            await Verify(first, last, credits: 5);

        if (withoutPositions)
            await log.ForgetPositionsAsync(definition);
        else
            await log.RewindAsync(definition);
        last = await log.AppendAccountsAsync(accounts: 4, credits: 1);
        await using EventStreamsRunner second = log.Start(definition, exactlyOnce);
        await Verify(second, last, credits: 6);
        // exactly once there is a mark besides
        Newest(log, definition.SnapshotTopicOf(Account.Definition)).Keys.Count(k => k[0] != '\0').ShouldBe(4);
        byte[] bare = Newest(log, definition.ChangelogOf("bare"))["a0"];
        new Int64SerDes().Deserialize(bare, default).ShouldBeGreaterThan(7); // seven events, of which six came twice
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stores_are_restored_from_their_topics_when_the_folder_is_gone_and_queries_wait_for_it(bool exactlyOnce)
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 4, credits: 5);
        EventStreamsDefinition definition = Definition(log.Name);
        await using (EventStreamsRunner first = log.Start(definition, exactlyOnce))
            await Verify(first, last, credits: 5);

        log.DeleteState();
        await using EventStreamsRunner second = log.Start(definition, exactlyOnce);
        // No token: the answer comes when the store is restored, and never from an empty one.
        StreamSnapshot<AccountState>? snapshot = await second.ReadSnapshotAsync(Account.Definition, AggregateId.Parse("a3"),
            cancellationToken: Cancellation);
        snapshot.ShouldNotBeNull().State.Credits.ShouldBe(5);
        await Verify(second, last, credits: 5);
        second.Trouble.ShouldBeNull();
    }

    // The store of Streamiz is not rolled back with the transaction; and an error that is not that of a fenced producer ends it for good,
    // with stores and consumer left open.
    [Theory]
    [InlineData(ErrorCode.InvalidProducerEpoch)]
    [InlineData(ErrorCode.Local_Fail)]
    public async Task Aborted_transaction_leaves_stores_and_changelogs_right_and_the_streams_go_on(ErrorCode error)
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        EventStreamsDefinition definition = Definition(log.Name);
        var aborts = new CommitFaults(error, 1, 3);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 4, credits: 5);
        await using EventStreamsRunner runner = log.Start(definition, exactlyOnce: true, aborts.Clients);
        await Verify(runner, last, credits: 5);
        await aborts.Reached(2).WaitAsync(Cancellation);
        await log.AppendAccountsAsync(accounts: 4, credits: 1);
        await aborts.Done.WaitAsync(Cancellation);
        last = await log.AppendAccountsAsync(accounts: 4, credits: 1);
        await Verify(runner, last, credits: 7);

        // what is committed, for whoever restores from it
        await runner.DisposeAsync();
        log.DeleteState();
        await using EventStreamsRunner restored = log.Start(definition, exactlyOnce: true);
        await Verify(restored, last, credits: 7);
        if (error == ErrorCode.InvalidProducerEpoch)
            new Int64SerDes().Deserialize(Newest(log, definition.ChangelogOf("bare"))["a0"], default).ShouldBeGreaterThan(8);
        log.Read($"{log.Name}.account.account-credited", Cancellation).Count.ShouldBe(4 * 7); // no repeat under exactly-once
    }

    [Fact]
    public async Task Topics_are_declared_so_that_nothing_of_them_is_deleted_by_age()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        await log.AppendAsync("a0", BankStreams.Opened(), new DateTimeOffset(1993, 1, 1, 0, 0, 0, TimeSpan.Zero));
        EventStreamsDefinition definition = Definition(log.Name);
        await using EventStreamsRunner runner = log.Start(definition, exactlyOnce: true);
        await runner.WaitForRestoreAsync(Cancellation);

        using IAdminClient admin = new AdminClientBuilder(log.Kafka.Admin()).Build();
        List<DescribeConfigsResult> configs = await admin.DescribeConfigsAsync(definition.Topics.Select(t =>
            new ConfigResource { Type = ResourceType.Topic, Name = t }));
        foreach (DescribeConfigsResult topic in configs)
        {
            bool compacted = topic.ConfigResource.Name.EndsWith("-changelog", StringComparison.Ordinal);
            topic.Entries[compacted ? "cleanup.policy" : "retention.ms"].Value.ShouldBe(compacted ? "compact" : "-1",
                topic.ConfigResource.Name);
        }
    }

    // What a process that was killed has left open would hold up readers of what is committed until it times out.
    [Fact]
    public async Task Transaction_that_the_process_before_has_left_open_is_ended_at_the_start_in_the_same_folder()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 2, credits: 1);
        EventStreamsDefinition definition = Definition(log.Name);
        string instance = "";
        await using (EventStreamsRunner first = log.Start(definition, exactlyOnce: true, settings =>
        {
            instance = settings.Instance;
            return new StreamClients(settings);
        }))
            await first.WaitForAsync(Account.Definition, last[0], Cancellation);

        ProducerConfig config = log.Kafka.Producer();
        config.TransactionalId = $"{instance}-0";
        using IProducer<byte[], byte[]> killed = new ProducerBuilder<byte[], byte[]>(config).SetErrorHandler((_, _) => { })
            .SetLogHandler((_, _) => { }).Build();
        killed.InitTransactions(TimeSpan.FromSeconds(30));
        killed.BeginTransaction();
        await killed.ProduceAsync(new TopicPartition(definition.SnapshotTopicOf(Account.Definition), 0),
            new Message<byte[], byte[]> { Key = "torn"u8.ToArray(), Value = [1] }, Cancellation);

        await using EventStreamsRunner second = log.Start(definition, exactlyOnce: true);
        await second.WaitForRestoreAsync(Cancellation);
        Should.Throw<KafkaException>(() => killed.CommitTransaction(TimeSpan.FromSeconds(30)));
        Newest(log, definition.SnapshotTopicOf(Account.Definition)).Keys.ShouldNotContain("torn");
    }

    [Fact]
    public async Task Start_in_a_folder_that_is_used_is_refused_by_name()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        await log.AppendAsync("a0", BankStreams.Opened());
        EventStreamsDefinition definition = Definition(log.Name);
        await using EventStreamsRunner runner = log.Start(definition, exactlyOnce: true);
        await runner.WaitForRestoreAsync(Cancellation);
        await using EventStreamsRunner other = log.Start(definition, exactlyOnce: true);
        (await Should.ThrowAsync<IOException>(other.Completion)).Message.ShouldContain("is used by another process");
    }

    [Fact]
    public void Start_with_the_name_of_a_consumer_group_of_the_application_is_refused()
    {
        EventStreamsDefinition definition = Definition("bank-account");
        var servers = new ApplicationServers
        {
            Kafka = new KafkaConnection { BootstrapServers = "localhost:1" }, Registry = new(), DataDirectory = fixture.Servers!.Folder,
        };
        Should.Throw<InvalidInputException>(() => EventStreamsRunner.Start(definition, "bank", servers, new EventStreamsOptions(),
            TestServers.Loggers, TimeProvider.System)).Message.ShouldContain("'bank-account'");
    }

    private static EventStreamsDefinition Definition(string name) => EventStreams.Define(name).From(Account.Definition)
        .Topology((_, sources) => sources.Events(Account.Definition).GroupByKey().Count(
            Materialized<string, long, IKeyValueStore<Bytes, byte[]>>.Create(Stores.PersistentKeyValueStore("bare"))
                .With(new StringSerDes(), new Int64SerDes())))
        .Snapshot(Account.Definition).PerEventType(Account.Definition)
        .Totals("credits", CalendarWindow.Month, "Europe/Prague", totals => totals.Add<AccountCredited>(Account.Definition,
            (credited, recorded) => new TotalEntry(recorded.AggregateId.Value, credited.Amount, credited.BookedOn)))
        .Build();

    private static async Task Verify(EventStreamsRunner runner, IReadOnlyList<ConsistencyToken> last, int credits)
    {
        for (int account = 0; account < last.Count; account++)
        {
            StreamSnapshot<AccountState>? snapshot = await runner.ReadSnapshotAsync(Account.Definition, AggregateId.Parse($"a{account}"),
                last[account], Cancellation);
            snapshot.ShouldNotBeNull().State.Credits.ShouldBe(credits);
            RunningTotal? total = await runner.ReadTotalAsync("credits", $"a{account}", November, Account.Definition, last[account],
                Cancellation);
            (total?.Count, total?.Sum).ShouldBe((credits, credits));
        }
    }

    private static Dictionary<string, byte[]> Newest(StreamLog log, string topic)
    {
        var newest = new Dictionary<string, byte[]>();
        foreach (ConsumeResult<byte[], byte[]> record in log.Read(topic, Cancellation))
            newest[Encoding.UTF8.GetString(record.Message.Key)] = record.Message.Value;
        return newest;
    }

    public sealed class Fixture : IAsyncLifetime
    {
        public TestServers? Servers { get; private set; }

        public async ValueTask InitializeAsync() => Servers = await ServersOrSkip.Start(CancellationToken.None);

        public async ValueTask DisposeAsync()
        {
            if (Servers is not null)
                await Servers.DisposeAsync();
        }
    }
}
