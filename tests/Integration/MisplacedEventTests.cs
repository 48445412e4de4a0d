using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Events and snapshots on another partition than that of their key, as code of before and other writers have left them.</summary>
public sealed class MisplacedEventTests(BankFixture bank)
{
    private static readonly string Other = Enumerable.Range(0, 100).Select(i => $"other-{i}").First(o =>
        DeadLetterDesk.PartitionOf(o) != DeadLetterDesk.PartitionOf("a"));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // They were folded where they lay: an aggregate had a second history and a second state.
    [Theory]
    [InlineData("events")]
    [InlineData("snapshots")]
    public async Task Partition_with_a_record_of_another_ones_aggregate_is_refused_by_name_until_it_is_given_up(string suffix)
    {
        string name = Testing.TestServers.UniqueName("misplaced");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await using (EventSourcedNode node = await Start(name, data))
        {
            for (int i = 0; i < 4; i++)
            {
                foreach (string account in (string[])["a", Other])
                    (await node.SendAsync(Movement.Credit(account, 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            }
        }

        string topic = $"{name}.account.{suffix}";
        int right = DeadLetterDesk.PartitionOf("a");
        long offset = Copy(new TopicPartition(topic, right), "a", new TopicPartition(topic, 1 - right));
        Directory.Delete(data, recursive: true);
        for (int start = 0; start < 2; start++)
        {
            await using EventSourcedNode halted = await Start(name, data);
            halted.Aggregates[0].Processor.HaltedPartitions.Keys.ShouldBe([1 - right]);
            string reason = halted.Aggregates[0].Processor.HaltedPartitions[1 - right];
            reason.ShouldContain($"{topic} {1 - right}@{offset} of 'a'");
            reason.ShouldContain($"discard {name}.account --misplaced");
            (await halted.SendAsync(Movement.Credit("a", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version
                .ShouldBe(5 + start);
        }

        var told = new List<string>();
        (int events, int snapshots) = new MisplacedRecords(bank.Servers.Addresses.KafkaConnection, desk.Topics)
            .Discard("Ada", "a test", r => told.Add($"{r.Topic} {r.Partition.Value}@{r.Offset.Value}"), TimeProvider.System, Cancellation);
        (events, snapshots).ShouldBe(suffix == "events" ? (1, 0) : (0, 1));
        told.ShouldBe([$"{topic} {1 - right}@{offset}"]);
        new MisplacedRecords(bank.Servers.Addresses.KafkaConnection, desk.Topics).Discard("Ada", "a test", _ => { }, TimeProvider.System,
            Cancellation).ShouldBe((0, 0));

        await using EventSourcedNode again = await Start(name, data);
        again.Aggregates[0].Processor.HaltedPartitions.ShouldBeEmpty();
        (await again.SendAsync(Movement.Credit("a", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(7);
        (await again.SendAsync(Movement.Credit(Other, 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(5);
        (await new Hosting.Verification.Verifier(again, again.Aggregates[0]).RunAsync(Cancellation)).Differences.ShouldBeEmpty();
        desk.Letters().ShouldBeEmpty();
    }

    private long Copy(TopicPartition from, string key, TopicPartition to)
    {
        KafkaConnection kafka = bank.Servers.Addresses.KafkaConnection;
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(kafka.Consumer("copy")).Build();
        consumer.Assign(new TopicPartitionOffset(from, Offset.Beginning));
        ConsumeResult<byte[], byte[]> record;
        do
            record = consumer.Consume(Cancellation);
        while (Encoding.UTF8.GetString(record.Message.Key) != key);
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(kafka.Producer()).Build();
        return producer.ProduceAsync(to, new Message<byte[], byte[]>
        {
            Key = record.Message.Key, Value = record.Message.Value, Headers = record.Message.Headers,
        }, Cancellation).GetAwaiter().GetResult().Offset.Value;
    }

    private Task<EventSourcedNode> Start(string name, string data)
    {
        ApplicationDefinition application = EventSourcedApplication.Named(name, "Takes credits.")
            .With(AggregateDefinition.Define("account", ParkedCommandTests.InitialState())
            .Decides<Credit>((_, credit) => Decision.Accept(ParkedCommandTests.Credited(credit.Amount)))
            .Evolves<AccountCredited>((state, credited) => state with { Balance = state.Balance + credited.Amount })
            .Build()).Build();
        return EventSourcedNode.StartAsync(application, bank.Servers.Addresses,
            new KafkaEventSourcingOptions { DataDirectory = data, Partitions = 2, BarrierEvents = 2 }, NullLoggerFactory.Instance,
            TimeProvider.System, Cancellation);
    }
}
