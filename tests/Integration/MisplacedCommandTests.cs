using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Producers with another partitioner than murmur2.</summary>
public sealed class MisplacedCommandTests(BankFixture bank)
{
    private const int Partitions = 4;
    private const string Account = "wrongpart";
    private static readonly int Right = Murmur2.Partition(Encoding.UTF8.GetBytes(Account), Partitions);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // Each was decided where it lay: four events with version 1, on four partitions, and no error.
    [Fact]
    public async Task Same_command_on_every_partition_has_one_effect_on_the_partition_of_its_key()
    {
        string name = Testing.TestServers.UniqueName("misplaced");
        await using EventSourcedNode node = await Start(name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        byte[] value = await desk.Encode(Movement.Credit(Account, 5).Payload);
        for (int partition = 0; partition < Partitions; partition++)
            await desk.ProduceAt(partition, Account, value, ("ce_id", "once"));

        List<(int Partition, CommandReply Reply)> replies = desk.Replies(Partitions, count: Partitions);
        replies.Select(r => (r.Partition, r.Reply.CommandId, r.Reply.Outcome, r.Reply.Version)).OrderBy(r => r.Partition)
            // each at the partition where its command lay
            .ShouldBe(Enumerable.Range(0, Partitions).Select(p => (p, "once", ReplyOutcome.Accepted, 1L)));
        replies.Count(r => !r.Reply.Duplicate).ShouldBe(1);
        (await Events(node)).ShouldBe([(Right, 1L, "once")]);
        desk.Letters(Partitions).ShouldBeEmpty();
    }

    [Fact]
    public async Task Commands_without_id_are_each_their_own_wherever_they_lie_and_keep_their_order()
    {
        string name = Testing.TestServers.UniqueName("misplaced");
        await using EventSourcedNode node = await Start(name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        byte[] value = await desk.Encode(Movement.Credit(Account, 5).Payload);
        for (int partition = 0; partition < Partitions; partition++)
            await desk.ProduceAt(partition, Account, value);
        int wrong = (Right + 1) % Partitions;
        for (int i = 0; i < 20; i++)
            await desk.ProduceAt(wrong, Account, value, ("ce_id", $"c{i:00}"));

        desk.Replies(Partitions, count: Partitions + 20);
        List<(int Partition, long Version, string Command)> events = await Events(node);
        events.ShouldAllBe(e => e.Partition == Right);
        events.Select(e => e.Version).ShouldBe(Enumerable.Range(1, Partitions + 20).Select(v => (long)v));
        events.Select(e => e.Command).Where(c => c.StartsWith('c')).ShouldBe(Enumerable.Range(0, 20).Select(i => $"c{i:00}"));
        events.Select(e => e.Command).Where(c => !c.StartsWith('c')).Order(StringComparer.Ordinal).Select(c =>
            (c.StartsWith(desk.Topics.Commands, StringComparison.Ordinal), string.Join('-', c.Split('-')[^2..]))).ShouldBe(
                Enumerable.Range(0, Partitions).Select(p => (true, $"{p}-0")), ignoreOrder: true);
        // Sent again under the id that its place gave it, at the direct door: the first outcome.
        (await node.SendAsync(Movement.Credit(Account, 5,
            events.First(e => e.Command.EndsWith($"-{wrong}-0", StringComparison.Ordinal)).Command), Cancellation)).IsDuplicate
            .ShouldBeTrue();
    }

    [Fact]
    public async Task Record_that_cannot_be_read_parks_its_aggregate_where_the_aggregate_is()
    {
        string name = Testing.TestServers.UniqueName("misplaced");
        await using EventSourcedNode node = await Start(name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await desk.ProduceAt((Right + 1) % Partitions, Account, [1, 2, 3], ("ce_id", "poison"));
        (int partition, CommandReply reply) = desk.Replies(Partitions, count: 1).Single();
        (partition, reply.CommandId, reply.Outcome, reply.Code).ShouldBe(
            ((Right + 1) % Partitions, "poison", ReplyOutcome.Parked, "not-avro"));
        desk.Letters(Partitions).Select(l => (l.Partition, l.AggregateId.Value, l.Cause)).ShouldBe([(Right, Account, "not-avro")]);
        await Should.ThrowAsync<AggregateParkedException>(node.SendAsync(Movement.Credit(Account, 1), Cancellation));
    }

    // Its partition would decide the batch again and again, and never come past it.
    [Fact]
    public async Task Record_that_its_partition_does_not_take_is_put_aside_and_the_others_go_on()
    {
        const int largestBatch = 1_048_588;
        const int around = 61 + 40; // batch and record, without headers
        string name = Testing.TestServers.UniqueName("misplaced");
        await using EventSourcedNode node = await Start(name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        int wrong = (Right + 1) % Partitions;
        await desk.ProduceAt(wrong, Account, new byte[largestBatch - around]);
        byte[] value = await desk.Encode(Movement.Credit(Account, 5).Payload);
        await desk.ProduceAt(wrong, Account, value, ("ce_id", "behind"));
        desk.Replies(Partitions, count: 2).Select(r => (r.Reply.Outcome, r.Reply.Code)).ShouldBe(
            [(ReplyOutcome.Parked, "misplaced-command"), (ReplyOutcome.Accepted, null)], ignoreOrder: true);
        desk.Letters(Partitions).Select(l => (l.Partition, l.Cause)).ShouldBe([(wrong, "misplaced-command")]);
        (await Events(node)).ShouldBe([(Right, 1L, "behind")]);
    }

    private Task<EventSourcedNode> Start(string name)
    {
        ApplicationDefinition application = EventSourcedApplication.Named(name, "Takes credits.")
            .With(AggregateDefinition.Define("account", ParkedCommandTests.InitialState())
            .Decides<Credit>((_, credit) => Decision.Accept(ParkedCommandTests.Credited(credit.Amount)))
            .Evolves<AccountCredited>((state, credited) => state with { Balance = state.Balance + credited.Amount })
            .Build()).Build();
        var options = new KafkaEventSourcingOptions { DataDirectory = Path.Combine(bank.Servers.Folder, name), Partitions = Partitions };
        return EventSourcedNode.StartAsync(application, bank.Servers.Addresses, options, NullLoggerFactory.Instance, TimeProvider.System,
            Cancellation);
    }

    private static async Task<List<(int Partition, long Version, string Command)>> Events(EventSourcedNode node)
    {
        var events = new List<(int, long, string)>();
        for (int partition = 0; partition < Partitions; partition++)
        {
            await foreach (RecordedEvent recorded in node.Aggregates[0].History.ReadPartitionAsync(partition, 0, Cancellation))
                events.Add((partition, recorded.Version, recorded.CommandId.Value));
        }

        return events;
    }
}
