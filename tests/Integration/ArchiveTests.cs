using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Load;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>A node that archives its events and lets them leave their topic: nobody who reads them notices.</summary>
public sealed class ArchiveTests(BankFixture bank)
{
    private const int Accounts = 20;
    private const int Movements = 1_500;
    private const int Partitions = 2;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Events_leave_their_topic_once_all_have_passed_them_and_every_reader_has_them_still()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        KafkaEventSourcingOptions options = Options(application);
        Dictionary<AggregateId, AggregateView> before;
        await using (EventSourcedNode node = await Start(application, options))
        {
            await Post(node);
            before = await Views(node);
            await UntilLeft(application, 600); // of about 760 events a partition
            await ShouldBeWhole(node);
        }

        await LoseAllButTheEvents(application, options);
        await using EventSourcedNode restarted = await Start(application, options);
        (await Views(restarted)).ShouldBe(before, ignoreOrder: true);
        await ShouldBeWhole(restarted);
        using var again = new CommandFeed(restarted, new CommandFeedOptions());
        await again.SendAsync(Commands(), Cancellation);
        (again.Accepted, again.Duplicates).ShouldBe((0, Accounts + Movements));
    }

    private static IEnumerable<CommandEnvelope> Commands() =>
    [
        .. Enumerable.Range(0, Accounts).Select(i => Movement.Open($"acc-{i}")),
        .. Enumerable.Range(0, Movements).Select(i => Movement.Credit($"acc-{i % Accounts}", 1 + i, $"m-{i}")),
    ];

    private static async Task Post(EventSourcedNode node)
    {
        using var feed = new CommandFeed(node, new CommandFeedOptions());
        await feed.SendAsync(Commands(), Cancellation);
        feed.Accepted.ShouldBe(Accounts + Movements);
    }

    private static async Task<Dictionary<AggregateId, AggregateView>> Views(EventSourcedNode node)
    {
        var views = new Dictionary<AggregateId, AggregateView>();
        await foreach (AggregateView view in node.Aggregates[0].Processor.ReadAllAsync(Cancellation))
            views.Add(view.AggregateId, view);
        return views;
    }

    private static async Task ShouldBeWhole(EventSourcedNode node)
    {
        VerificationReport report = await new Verifier(node, node.Aggregates[0]).RunAsync(Cancellation);
        report.IsConsistent.ShouldBeTrue(string.Join(Environment.NewLine, report.Differences));
        report.Events.ShouldBe(Accounts + Movements);
        IAggregateClient<AccountState> accounts = node.ClientOf(Account.Definition);
        for (int i = 0; i < Accounts; i++)
        {
            var id = AggregateId.Parse($"acc-{i}");
            var versions = new List<long>();
            await foreach (RecordedEvent recorded in accounts.HistoryAsync(id, cancellationToken: Cancellation))
                versions.Add(recorded.Version);
            versions.ShouldBe(Enumerable.Range(1, 1 + (Movements / Accounts)).Select(v => (long)v));
        }
    }

    private KafkaEventSourcingOptions Options(ApplicationDefinition application) => new()
    {
        DataDirectory = Path.Combine(bank.Servers.Folder, application.Name),
        Partitions = Partitions,
        Archive = new ArchiveOptions
        {
            Location = Path.Combine(bank.Servers.Folder, $"{application.Name}-archive"),
            RangeEvents = 100,
            Interval = TimeSpan.FromMilliseconds(50),
            HotFor = TimeSpan.Zero,
        },
    };

    private Task<EventSourcedNode> Start(ApplicationDefinition application, KafkaEventSourcingOptions options) =>
        EventSourcedNode.StartAsync(application, bank.Servers.Addresses, options, TestServers.Loggers, TimeProvider.System, Cancellation);

    private async Task UntilLeft(ApplicationDefinition application, long offset)
    {
        var topics = new TopicFamily(application.Name, "account");
        using IConsumer<byte[], byte[]> consumer =
            new ConsumerBuilder<byte[], byte[]>(bank.Servers.Addresses.KafkaConnection.BoundedReader("test")).Build();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        for (int partition = 0; partition < Partitions; partition++)
        {
            while (PartitionOffsets.Query(consumer, new TopicPartition(topics.Events, partition), TimeSpan.FromSeconds(10), Cancellation)
                .Low.Value < offset)
                await timer.WaitForNextTickAsync(Cancellation);
        }
    }

    private async Task LoseAllButTheEvents(ApplicationDefinition application, KafkaEventSourcingOptions options)
    {
        Directory.Delete(options.DataDirectory!, recursive: true);
        await new MongoClient(bank.Servers.Addresses.MongoDB).DropDatabaseAsync(application.Name, Cancellation);
        using IAdminClient admin = new AdminClientBuilder(bank.Servers.Addresses.KafkaConnection.Admin()).Build();
        await admin.DeleteTopicsAsync([$"{application.Name}.account.snapshots"]); // it is made again at the start
    }
}
