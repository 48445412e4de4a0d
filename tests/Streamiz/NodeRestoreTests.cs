using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>A node restores from what streams have written, whatever happened to them: the store is the fold of the log.</summary>
public sealed class NodeRestoreTests(RunningStreamsTests.Fixture fixture) : IClassFixture<RunningStreamsTests.Fixture>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(ErrorCode.InvalidProducerEpoch)]
    [InlineData(ErrorCode.Local_Fail)]
    public async Task Store_from_streams_whose_transactions_were_aborted_and_that_are_behind_is_that_of_the_log(ErrorCode error)
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        EventStreamsDefinition definition = Definition(log);
        var aborts = new CommitFaults(error, 1, 3);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 6, credits: 4);
        await using (EventStreamsRunner runner = log.Start(definition, exactlyOnce: true, aborts.Clients))
        {
            await WaitFor(runner, last);
            await aborts.Reached(2).WaitAsync(Cancellation);
            await log.AppendAccountsAsync(accounts: 6, credits: 2);
            await aborts.Done.WaitAsync(Cancellation);
            last = await log.AppendAccountsAsync(accounts: 6, credits: 1);
            await WaitFor(runner, last);
        }

        await log.AppendAccountsAsync(accounts: 8, credits: 1); // nobody has read them
        await Compare(log, definition.SnapshotTopicOf(Account.Definition), isUsed: true);
    }

    [Fact]
    public async Task Snapshots_of_streams_that_run_at_least_once_are_not_used()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        EventStreamsDefinition definition = Definition(log);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 4, credits: 2);
        await using (EventStreamsRunner runner = log.Start(definition, exactlyOnce: false))
            await WaitFor(runner, last);
        await Compare(log, definition.SnapshotTopicOf(Account.Definition), isUsed: false);
    }

    // The topic of before is gone with its id: a mark of it is not one of the topic that is written now.
    [Fact]
    public async Task Snapshots_that_were_folded_again_after_a_reset_are_used()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        EventStreamsDefinition definition = Definition(log);
        IReadOnlyList<ConsistencyToken> last = await log.AppendAccountsAsync(accounts: 4, credits: 2);
        await using (EventStreamsRunner runner = log.Start(definition, exactlyOnce: true))
            await WaitFor(runner, last);
        await log.ResetAsync(definition, Cancellation);
        log.DeleteState();
        await using (EventStreamsRunner runner = log.Start(definition, exactlyOnce: true))
            await WaitFor(runner, last);
        await Compare(log, definition.SnapshotTopicOf(Account.Definition), isUsed: true);
    }

    private static EventStreamsDefinition Definition(StreamLog log) =>
        EventStreams.Define(log.Name).From(Account.Definition).Snapshot(Account.Definition).Build();

    private static async Task WaitFor(EventStreamsRunner runner, IReadOnlyList<ConsistencyToken> places)
    {
        foreach (ConsistencyToken place in places)
            await runner.WaitForAsync(Account.Definition, place, Cancellation);
    }

    private async Task Compare(StreamLog log, string topic, bool isUsed)
    {
        using var registry = new CachedSchemaRegistryClient(log.Servers.Registry);
        var serde = AvroMessageSerde.Create(registry,
            Account.Definition.EventTypes.Append(Account.Definition.StateType).Select(RecordTypes.Of));
        using IAdminClient admin = new AdminClientBuilder(log.Kafka.Admin()).Build();
        TopicId events = (await TopicIds.OfAsync(admin, [log.EventsTopic], TimeSpan.FromSeconds(15), Cancellation))[log.EventsTopic];
        using (var provisioner = new TopicProvisioner(log.Kafka)) // of the barriers that there are none of
        {
            var barriers = new TopicDeclaration([new TopicSpecification
            {
                Name = new TopicFamily(log.Application, "account").Snapshots, Partitions = StreamLog.Partitions,
            }]);
            await provisioner.ApplyAsync(await provisioner.PlanAsync(barriers, Cancellation), Cancellation);
        }

        int used = 0;
        for (int partition = 0; partition < StreamLog.Partitions; partition++)
        {
            (string streams, bool isFromStreams) = Restore(log, serde, events, topic, partition);
            (string folded, _) = Restore(log, serde, events, null, partition);
            streams.ShouldBe(folded);
            used += isFromStreams ? 1 : 0;
        }

        used.ShouldBe(isUsed ? StreamLog.Partitions : 0);
    }

    private (string Content, bool IsFromStreams) Restore(StreamLog log, AvroMessageSerde serde, TopicId events, string? streams,
        int partition)
    {
        string directory = Path.Combine(fixture.Servers!.Folder, $"{log.Application}-node", streams is null ? "folded" : "streams");
        ILogger logger = TestServers.Loggers.CreateLogger<NodeRestoreTests>();
        var context = new PartitionContext(Account.Definition, new TopicFamily(log.Application, "account"), log.Kafka, serde, null!,
            new NodeIdentity("n"), StreamLog.Partitions, 1, null!,
            new CommandProcessorOptions { StateDirectory = directory, StreamSnapshots = streams }, TimeProvider.System, logger);
        var parked = new ParkedAggregates(context.Topics, partition, TimeProvider.System);
        var topics = new TopicIdentities(default, events, default, default, default);
        var registry = new SchemaRegistryRetry(logger, partition);
        var opening = new StoreOpening(context, partition, registry);
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(log.Kafka.Consumer("test")).Build();
        long end = consumer.QueryWatermarkOffsets(new TopicPartition(log.EventsTopic, partition), TimeSpan.FromSeconds(15)).High.Value;
        OpenedStore? opened = null;
        try
        {
            opened = opening.Open(parked, topics, topics.At(0, end), Cancellation);
            var folder = new EventFolder(context, partition, registry, opened.Store,
                new AggregateCache(opened.Store, context.Definition, 1_000_000), parked);
            new EventReplay(log.Kafka, folder).Run(opened.End, (_, _, message) => throw new InvalidOperationException(message),
                Cancellation);
            return (Content(opened.Store, partition), opened.Store.Cover is not null);
        }
        finally
        {
            opened?.Store.Dispose();
        }
    }

    private static string Content(StateStore store, int partition)
    {
        var text = new StringBuilder();
        foreach (AggregateView view in store.ReadAll(partition))
        {
            text.AppendLine($"{view.AggregateId} {view.Version} {view.State} {view.Token}");
            AggregateEntry entry = store.Load(view.AggregateId)!;
            for (long version = 1; version <= view.Version; version++)
                text.AppendLine(store.TryGetOutcome(entry, $"{view.AggregateId}-{version}", out RememberedOutcome outcome)
                    ? outcome.ToString()
                    : "not known");
        }

        return text.ToString();
    }
}
