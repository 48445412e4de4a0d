using Confluent.Kafka;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Load;
using KafkaEventSourcing.Hosting.Verification;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class RestoreTests(BankFixture bank)
{
    private const int Accounts = 40;
    private const int Movements = 2_000;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task State_is_the_same_after_restart_whatever_was_deleted(bool deleteStores, bool deleteReadModels)
    {
        ApplicationDefinition application = BankFixture.NewBank();
        string data = Path.Combine(bank.Servers.Folder, application.Name);
        Dictionary<AggregateId, AggregateView> before;
        await using (EventSourcedNode node = await bank.Servers.StartNodeAsync(application, data, Cancellation))
        {
            await Post(node);
            before = await Views(node);
            (await Verify(node)).IsConsistent.ShouldBeTrue();
        }

        before.Count.ShouldBe(Accounts);
        if (deleteStores)
            Directory.Delete(data, recursive: true);
        if (deleteReadModels)
            await new MongoClient(bank.Servers.Addresses.MongoDB).DropDatabaseAsync(application.Name, Cancellation);

        await using EventSourcedNode restarted = await bank.Servers.StartNodeAsync(application, data, Cancellation);
        (await Views(restarted)).ShouldBe(before, ignoreOrder: true);
        VerificationReport report = await Verify(restarted);
        report.IsConsistent.ShouldBeTrue(string.Join(Environment.NewLine, report.Differences));
        report.Aggregates.ShouldBe(Accounts);

        // Commands that were decided before are known, however the state came back.
        using var again = new CommandFeed(restarted, new CommandFeedOptions());
        await again.SendAsync(Commands(), Cancellation);
        again.Accepted.ShouldBe(0);
        again.Duplicates.ShouldBe(Accounts + Movements);
    }

    [Fact]
    public async Task State_comes_back_from_snapshots_alone_when_the_events_before_them_are_gone()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(bank.Servers.Folder, application.Name),
            Partitions = 2,
            BarrierEvents = 100,
        };
        Dictionary<AggregateId, AggregateView> before;
        await using (EventSourcedNode node = await Start(application, options))
        {
            await Post(node);
            before = await Views(node);
            await node.WaitForReadModelsAsync(Cancellation);
        }

        Directory.Delete(options.DataDirectory, recursive: true);
        using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig
        {
            BootstrapServers = bank.Servers.Addresses.Kafka,
        }).Build())
            await admin.DeleteRecordsAsync([new TopicPartitionOffset($"{application.Name}.account.events", 0, 100),
                new TopicPartitionOffset($"{application.Name}.account.events", 1, 100)]);

        await using EventSourcedNode restarted = await Start(application, options);
        (await Views(restarted)).ShouldBe(before, ignoreOrder: true);
        using var again = new CommandFeed(restarted, new CommandFeedOptions());
        await again.SendAsync(Commands(), Cancellation);
        (again.Accepted, again.Duplicates).ShouldBe((0, Accounts + Movements));
    }

    [Fact]
    public async Task Snapshots_that_were_deleted_by_their_key_are_not_restored()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(bank.Servers.Folder, application.Name),
            Partitions = 1,
            BarrierEvents = 10,
        };
        Dictionary<AggregateId, AggregateView> before;
        await using (EventSourcedNode node = await Start(application, options))
        {
            for (int i = 0; i < 10; i++)
                await node.SendAsync(Movement.Open($"account-{i}"), Cancellation);
            before = await Views(node);
            await node.WaitForReadModelsAsync(Cancellation);
        }

        Directory.Delete(options.DataDirectory, recursive: true);
        string snapshots = $"{application.Name}.account.snapshots";
        byte[] ofAnother = SnapshotOf(snapshots, "account-3");
        using (IProducer<string, byte[]?> producer = new ProducerBuilder<string, byte[]?>(
            new ProducerConfig { BootstrapServers = bank.Servers.Addresses.Kafka }).Build())
        {
            await producer.ProduceAsync(snapshots, new Message<string, byte[]?> { Key = "deleted", Value = ofAnother }, Cancellation);
            foreach (string key in (string[])["deleted", "never-there", "\0part\0\0\0\u0001deleted"])
                await producer.ProduceAsync(snapshots, new Message<string, byte[]?> { Key = key, Value = null }, Cancellation);
        }

        using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig
        {
            BootstrapServers = bank.Servers.Addresses.Kafka,
        }).Build())
            await admin.DeleteRecordsAsync([new TopicPartitionOffset($"{application.Name}.account.events", 0, 10)]);

        await using EventSourcedNode restarted = await Start(application, options);
        before.Count.ShouldBe(10);
        (await Views(restarted)).ShouldBe(before, ignoreOrder: true);
    }

    [Fact]
    public async Task Node_whose_snapshots_streams_keep_writes_none_and_comes_back_without_streams_too()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(bank.Servers.Folder, application.Name),
            Partitions = 1,
            BarrierEvents = 100,
            StreamSnapshots = { ["account"] = "nobody-keeps-them" },
        };
        Dictionary<AggregateId, AggregateView> before;
        await using (EventSourcedNode node = await Start(application, options))
        {
            await Post(node);
            before = await Views(node);
        }

        List<string> keys = [.. PartitionKeys($"{application.Name}.account.snapshots")];
        keys.ShouldAllBe(k => k == "\0position");
        keys.Count.ShouldBeGreaterThan(1);

        Directory.Delete(options.DataDirectory, recursive: true);
        await using EventSourcedNode restarted = await Start(application, options);
        (await Views(restarted)).ShouldBe(before, ignoreOrder: true);
        using var again = new CommandFeed(restarted, new CommandFeedOptions());
        await again.SendAsync(Commands(), Cancellation);
        (again.Accepted, again.Duplicates).ShouldBe((0, Accounts + Movements));
    }

    [Fact]
    public async Task Verify_finds_a_read_model_that_was_changed_by_hand()
    {
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(BankFixture.NewBank(), null, Cancellation);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        await node.SendAsync(Movement.Credit("a", 5), Cancellation);
        (await Verify(node)).IsConsistent.ShouldBeTrue();
        await node.ReadModels.GetCollection<MongoDB.Bson.BsonDocument>("accounts")
            .UpdateOneAsync(Builders<MongoDB.Bson.BsonDocument>.Filter.Eq("_id", "a"),
                Builders<MongoDB.Bson.BsonDocument>.Update.Set("balance", 6L), cancellationToken: Cancellation);
        VerificationReport report = await Verify(node);
        report.DifferenceCount.ShouldBe(1);
        report.Differences.ShouldHaveSingleItem().ShouldContain("accounts");
    }

    [Fact]
    public async Task Deposed_writer_cannot_append()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        await node.SendAsync(Movement.Open("a"), Cancellation);

        // Somebody else becomes the writer of each partition; the node's own producers are zombies from here on.
        foreach (int partition in node.Aggregates[0].Processor.Partitions.Keys)
        {
            var config = new ProducerConfig
            {
                BootstrapServers = bank.Servers.Addresses.Kafka, TransactionalId = $"{application.Name}-account-{partition}",
            };
            using IProducer<byte[], byte[]> usurper = new ProducerBuilder<byte[], byte[]>(config).Build();
            usurper.InitTransactions(TimeSpan.FromSeconds(30));
        }

        // The batch is refused; the node notices, joins again, restores, and decides the command once.
        (await node.SendAsync(Movement.Credit("a", 5, "after"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(2);
        (await node.SendAsync(Movement.Credit("a", 5, "after"), Cancellation)).IsDuplicate.ShouldBeTrue();
        (await Verify(node)).IsConsistent.ShouldBeTrue();
    }

    private byte[] SnapshotOf(string topic, string aggregateId)
    {
        var config = new ConsumerConfig { BootstrapServers = bank.Servers.Addresses.Kafka, GroupId = topic, EnablePartitionEof = true };
        using IConsumer<string, byte[]> consumer = new ConsumerBuilder<string, byte[]>(config).Build();
        consumer.Assign(new TopicPartitionOffset(topic, 0, Offset.Beginning));
        while (true)
        {
            ConsumeResult<string, byte[]> record = consumer.Consume(Cancellation);
            record.IsPartitionEOF.ShouldBeFalse($"There is no snapshot of {aggregateId}.");
            if (record.Message.Key == aggregateId)
                return record.Message.Value;
        }
    }

    private IEnumerable<string> PartitionKeys(string topic)
    {
        var config = new ConsumerConfig { BootstrapServers = bank.Servers.Addresses.Kafka, GroupId = topic, EnablePartitionEof = true };
        using IConsumer<string, byte[]> consumer = new ConsumerBuilder<string, byte[]>(config).Build();
        consumer.Assign(new TopicPartitionOffset(topic, 0, Offset.Beginning));
        while (consumer.Consume(Cancellation) is { IsPartitionEOF: false } record)
            yield return record.Message.Key;
    }

    private Task<EventSourcedNode> Start(ApplicationDefinition application, KafkaEventSourcingOptions options) =>
        EventSourcedNode.StartAsync(application, bank.Servers.Addresses, options, NullLoggerFactory.Instance, TimeProvider.System,
            Cancellation);

    private static IEnumerable<CommandEnvelope> Commands()
    {
        for (int i = 0; i < Accounts; i++)
            yield return Movement.Open($"account-{i}", limit: 1_000_000);
        for (int i = 0; i < Movements; i++)
        {
            string account = $"account-{i * 7 % Accounts}";
            yield return i % 3 == 0 ? Movement.Debit(account, 1 + i, $"m-{i}") : Movement.Credit(account, 1 + i, $"m-{i}");
        }
    }

    private static async Task Post(EventSourcedNode node)
    {
        using var feed = new CommandFeed(node, new CommandFeedOptions());
        await feed.SendAsync(Commands(), Cancellation);
        feed.Accepted.ShouldBe(Accounts + Movements);
    }

    private static Task<VerificationReport> Verify(EventSourcedNode node) => new Verifier(node, node.Aggregates[0]).RunAsync(Cancellation);

    private static async Task<Dictionary<AggregateId, AggregateView>> Views(EventSourcedNode node)
    {
        var views = new Dictionary<AggregateId, AggregateView>();
        await foreach (AggregateView view in node.Aggregates[0].Processor.ReadAllAsync(Cancellation))
            views.Add(view.AggregateId, view);
        return views;
    }
}
