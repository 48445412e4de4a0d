using System.Globalization;
using Banking.Domain;
using Banking.ReadModels;
using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class TransferTests(BankFixture bank)
{
    private const int Accounts = 8;
    private const int Transfers = 300;
    private const long Funds = 1_000;
    private static readonly DateOnly Day = new(2026, 3, 1);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Money_is_conserved_by_random_transfers_with_refusals_through_a_restart()
    {
        ApplicationDefinition application = NewBank();
        string data = Path.Combine(bank.Servers.Folder, application.Name);
        var random = new Random(20260331);
        await using (EventSourcedNode node = await bank.Servers.StartNodeAsync(application, data, Cancellation))
        {
            for (int i = 0; i < Accounts; i++)
            {
                await node.SendAsync(Movement.Open($"a{i}"), Cancellation);
                await node.SendAsync(Movement.Credit($"a{i}", Funds), Cancellation);
            }

            await node.SendAsync(Movement.Open("closed"), Cancellation);
            await node.SendAsync(Close("closed"), Cancellation);
            await Task.WhenAll(Enumerable.Range(0, Transfers / 2).Select(i => node.SendAsync(Random(random, i), Cancellation)));
        }

        // The node was stopped with transfers under way; stores and all are gone, the log is not.
        Directory.Delete(data, recursive: true);
        await using EventSourcedNode again = await bank.Servers.StartNodeAsync(application, data, Cancellation);
        await Task.WhenAll(Enumerable.Range(Transfers / 2, Transfers / 2).Select(i => again.SendAsync(Random(random, i), Cancellation)));
        await WaitForEnds(application, Transfers);

        List<TransferState> transfers = await States<TransferState>(again, "transfer");
        transfers.Count.ShouldBe(Transfers);
        transfers.GroupBy(t => t.Status).Select(g => g.Key).Order().ShouldBe(
            [TransferStatus.Completed, TransferStatus.Refused, TransferStatus.Refunded]);
        transfers.Where(t => t.Status == TransferStatus.Refunded).ShouldAllBe(t => t.Receiver == "closed" || t.Receiver == "unknown");
        List<AccountState> accounts = await States<AccountState>(again, "account");
        accounts.Sum(a => a.Balance).ShouldBe(Accounts * Funds);
        accounts.ShouldAllBe(a => a.Balance >= 0);

        await ShouldHaveOneMovementAStep(again, transfers.Count(t => t.Status == TransferStatus.Completed),
            transfers.Count(t => t.Status == TransferStatus.Refunded));
        foreach (AggregateNode aggregate in again.Aggregates)
        {
            VerificationReport report = await new Verifier(again, aggregate).RunAsync(Cancellation);
            report.IsConsistent.ShouldBeTrue(string.Join(Environment.NewLine, report.Differences));
        }
    }

    [Fact]
    public async Task Transfers_settle_once_while_nodes_come_and_go()
    {
        const int each = 60;
        await using var nodes = new BankNodes(bank.Servers, partitions: 2, TimeSpan.FromSeconds(20)) { Application = NewBank() };
        BankNode one = await nodes.Start("one", isStatic: false, Cancellation, standbys: 1);
        for (int i = 0; i < Accounts; i++)
        {
            await one.Node.SendAsync(Movement.Open($"a{i}"), Cancellation);
            await one.Node.SendAsync(Movement.Credit($"a{i}", Funds), Cancellation);
        }

        var random = new Random(20261125);
        int sent = 0;
        Task Send(IReadOnlyList<BankNode> at) => Task.WhenAll(
            [.. Enumerable.Range(0, each).Select(_ => at[sent % at.Count].Node.SendAsync(Random(random, sent++), Cancellation))]);
        Task first = Send([one]);
        await nodes.Start("two", isStatic: false, Cancellation, standbys: 1);
        await first;
        Task second = Send(nodes.Running);
        await nodes.Start("three", isStatic: false, Cancellation, standbys: 1);
        await second;
        Task third = Send(nodes.Running);
        await third;
        await nodes.Stop(one); // transfers are under way
        await Send(nodes.Running);
        await WaitForEnds(nodes.Application, sent);

        EventSourcedNode node = nodes.Running[0].Node;
        var transfers = new List<TransferState>();
        for (int i = 0; i < sent; i++)
            transfers.Add((TransferState)(await node.AggregateOf(typeof(RequestTransfer)).Reads.ReadAsync(
                AggregateId.Parse(string.Create(CultureInfo.InvariantCulture, $"t{i}")), Cancellation))!.State);
        long balances = 0;
        for (int i = 0; i < Accounts; i++)
            balances += ((AccountState)(await node.Aggregates[0].Reads.ReadAsync(AggregateId.Parse($"a{i}"), Cancellation))!.State).Balance;
        balances.ShouldBe(Accounts * Funds);
        await ShouldHaveOneMovementAStep(node, transfers.Count(t => t.Status == TransferStatus.Completed),
            transfers.Count(t => t.Status == TransferStatus.Refunded));
    }

    [Fact]
    public async Task Deadline_that_passes_while_the_node_is_down_is_told_and_a_late_debit_is_given_back()
    {
        ApplicationDefinition application = NewBank();
        string data = Path.Combine(bank.Servers.Folder, application.Name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        await using (EventSourcedNode node = await bank.Servers.StartNodeAsync(application, data, Cancellation))
        {
            foreach (string account in (string[])["payer", "receiver"])
                await node.SendAsync(Movement.Open(account, limit: 100), Cancellation);
            await desk.Produce("payer", "poison"u8.ToArray()); // its debit has to wait
            await node.SendAsync(Request("t", "payer", "receiver", 10, TimeProvider.System.GetUtcNow() + TimeSpan.FromSeconds(2)),
                Cancellation);
        }

        Directory.Delete(data, recursive: true);
        await using EventSourcedNode again = await bank.Servers.StartNodeAsync(application, data, Cancellation);
        await WaitFor(application, "TransferExpired", 1);
        (await Transfer(again, "t")).Status.ShouldBe(TransferStatus.Debiting);
        desk.Discard("payer", desk.Letters().First(l => !l.IsQueued).Offset).Outcome.ShouldBe(ReplyOutcome.Accepted);
        desk.Retry("payer").Outcome.ShouldBe(ReplyOutcome.Accepted);
        await WaitFor(application, "TransferRefunded", 1);
        (await Transfer(again, "t")).ShouldSatisfyAllConditions(t => t.Status.ShouldBe(TransferStatus.Refunded),
            t => t.Reason.ShouldBe("The deadline has passed."));
        (await States<AccountState>(again, "account")).ShouldAllBe(a => a.Balance == 0);
        Counts(application, "transfer").ShouldBe(new Dictionary<string, int>
        {
            ["TransferRequested"] = 1,
            ["TransferExpired"] = 1,
            ["TransferDebited"] = 1,
            ["TransferRefunded"] = 1,
        }, ignoreOrder: true);

        await again.WaitForReadModelsAsync(Cancellation);
        BsonDocument document = await again.ReadModels.GetCollection<BsonDocument>("transfers").Find(new BsonDocument("_id", "t"))
            .SingleAsync(Cancellation);
        document["status"].AsString.ShouldBe("refunded");
    }

    [Fact]
    public async Task Discarding_a_parked_debit_refuses_the_transfer()
    {
        ApplicationDefinition application = NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        await node.SendAsync(Movement.Open("payer", limit: 100), Cancellation);
        await desk.Produce("payer", "poison"u8.ToArray());
        await node.SendAsync(Request("t", "payer", "receiver", 10, null), Cancellation);
        await WaitForLetters(desk, 2);
        desk.Discard("payer").Outcome.ShouldBe(ReplyOutcome.Accepted);
        await WaitFor(application, "TransferRefused", 1);
        (await Transfer(node, "t")).Reason.ShouldBe("The command was parked and then discarded by Ada: a test");
    }

    [Fact]
    public async Task Refund_to_an_account_that_was_closed_meanwhile_is_kept_by_the_transfer()
    {
        ApplicationDefinition application = NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        await node.SendAsync(Movement.Open("payer"), Cancellation);
        await node.SendAsync(Movement.Credit("payer", 10), Cancellation);
        await desk.Produce("unknown", "poison"u8.ToArray()); // holds the credit up
        await node.SendAsync(Request("t", "payer", "unknown", 10, null), Cancellation);
        await WaitForLetters(desk, 2);
        (await node.SendAsync(Close("payer"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        desk.Discard("unknown").Outcome.ShouldBe(ReplyOutcome.Accepted);
        await WaitFor(application, "TransferSuspended", 1);
        Banking.Domain.Transfer.Holds(await Transfer(node, "t")).ShouldBe(10);
    }

    private static ApplicationDefinition NewBank() => EventSourcedApplication.Named(Testing.TestServers.UniqueName("bank"),
        "A bank with transfers.")
        .With(Account.Definition)
        .With(Banking.Domain.Transfer.Definition)
        .With(BankReadModels.Accounts)
        .With(TransferReadModels.Transfers)
        .Build();

    private static CommandEnvelope Random(Random random, int i)
    {
        string payer = string.Create(CultureInfo.InvariantCulture, $"a{random.Next(Accounts)}");
        string receiver = random.Next(10) switch { 0 => "closed", 1 => "unknown", _ =>
            string.Create(CultureInfo.InvariantCulture, $"a{random.Next(Accounts)}") };
        if (receiver == payer)
            receiver = "closed";
        return Request(string.Create(CultureInfo.InvariantCulture, $"t{i}"), payer, receiver, random.NextInt64(1, Funds), null);
    }

    private static CommandEnvelope Request(string id, string payer, string receiver, long amount, DateTimeOffset? deadline) =>
        new(AggregateId.Parse(id), CommandId.New(TimeProvider.System),
            new RequestTransfer
            {
                Payer = payer,
                Receiver = receiver,
                Amount = amount,
                Currency = "EUR",
                BookedOn = Day,
                Deadline = deadline,
            });

    private static CommandEnvelope Close(string account) =>
        new(AggregateId.Parse(account), CommandId.New(TimeProvider.System), new CloseAccount());

    private static async Task<TransferState> Transfer(EventSourcedNode node, string id) =>
        (TransferState)(await node.AggregateOf(typeof(RequestTransfer)).Processor.ReadAsync(AggregateId.Parse(id), Cancellation))!.State;

    private static async Task<List<TState>> States<TState>(EventSourcedNode node, string aggregate)
    {
        var states = new List<TState>();
        await foreach (AggregateView view in node.Aggregates.Single(a => a.Definition.Name == aggregate).Processor.ReadAllAsync(
            Cancellation))
            states.Add((TState)view.State);
        return states;
    }

    // One debit and one credit of a transfer that has come about, one debit and one credit back of one that was refunded; nothing twice.
    private static async Task ShouldHaveOneMovementAStep(EventSourcedNode node, int completed, int refunded)
    {
        int debits = 0;
        int credits = 0;
        var commands = new HashSet<(AggregateId, CommandId)>();
        foreach (int partition in (await node.Aggregates[0].History.EndOffsetsAsync(Cancellation)).Keys)
        {
            await foreach (RecordedEvent recorded in node.Aggregates[0].History.ReadPartitionAsync(partition, 0, Cancellation))
            {
                debits += recorded.Payload is AccountDebited ? 1 : 0;
                credits += recorded.Payload is AccountCredited { Operation: Operation.TransferIn } ? 1 : 0;
                commands.Add((recorded.AggregateId, recorded.CommandId)).ShouldBeTrue();
            }
        }

        (debits, credits).ShouldBe((completed + refunded, completed + refunded));
    }

    private async Task WaitForEnds(ApplicationDefinition application, int transfers)
    {
        string[] ends = ["TransferCompleted", "TransferRefused", "TransferRefunded", "TransferSuspended"];
        await Consume($"{application.Name}.transfer.events", types => ends.Sum(e => types.GetValueOrDefault(e)) == transfers);
    }

    private Task WaitFor(ApplicationDefinition application, string type, int count) =>
        Consume($"{application.Name}.transfer.events", types => types.GetValueOrDefault(type) == count);

    private Task WaitForLetters(DeadLetterDesk desk, int count) => Consume(desk.Topics.DeadLetters, types => types.Values.Sum() == count);

    // Counts the records of a topic by their types until that is enough.
    private Task Consume(string topic, Func<Dictionary<string, int>, bool> enough) => Task.Run(() =>
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(
            bank.Servers.Addresses.KafkaConnection.Consumer("test")).Build();
        consumer.Assign([new TopicPartitionOffset(topic, 0, Offset.Beginning), new TopicPartitionOffset(topic, 1, Offset.Beginning)]);
        var types = new Dictionary<string, int>();
        while (!enough(types))
            Count(types, consumer.Consume(Cancellation));
    }, Cancellation);

    private Dictionary<string, int> Counts(ApplicationDefinition application, string aggregate)
    {
        var types = new Dictionary<string, int>();
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(
            bank.Servers.Addresses.KafkaConnection.BoundedReader("test")).Build();
        string topic = $"{application.Name}.{aggregate}.events";
        consumer.Assign([new TopicPartitionOffset(topic, 0, Offset.Beginning), new TopicPartitionOffset(topic, 1, Offset.Beginning)]);
        for (int ends = 0; ends < 2;)
        {
            ConsumeResult<byte[], byte[]> record = consumer.Consume(Cancellation);
            if (record.IsPartitionEOF)
                ends++;
            else
                Count(types, record);
        }

        return types;
    }

    private static void Count(Dictionary<string, int> types, ConsumeResult<byte[], byte[]> record)
    {
        byte[] header = CloudEventHeaders.Find(record.Message.Headers, CloudEventHeaders.Type) ?? [];
        string type = System.Text.Encoding.UTF8.GetString(header).Split('.')[^1];
        types[type] = types.GetValueOrDefault(type) + 1;
    }
}
