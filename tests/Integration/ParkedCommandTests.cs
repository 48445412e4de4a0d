using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class ParkedCommandTests(BankFixture bank)
{
    private static readonly byte[] Poison = "not avro"u8.ToArray();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Record_that_cannot_be_read_parks_its_aggregate_both_doors_tell_and_everything_else_flows_on()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        await node.SendAsync(Movement.Credit("a", 5, "before"), Cancellation);
        await desk.Produce("a", Poison, ("ce_id", "poison"), ("x-own", "kept"));

        // The command topic is in order: what is answered behind the poison has seen it.
        AggregateParkedException queued = await Should.ThrowAsync<AggregateParkedException>(
            node.Aggregates[0].CommandTopic.SendAsync(Movement.Credit("a", 10, "behind"), Cancellation));
        (queued.AggregateId.Value, queued.Cause, queued.IsQueued).ShouldBe(("a", "not-avro", true));
        AggregateParkedException direct = await Should.ThrowAsync<AggregateParkedException>(
            node.SendAsync(Movement.Credit("a", 20, "direct"), Cancellation));
        (direct.AggregateId.Value, direct.Cause, direct.IsQueued).ShouldBe(("a", "not-avro", false));
        // What waits already is not refused: whoever sent it under another id then could have it twice.
        AggregateParkedException waiting = await Should.ThrowAsync<AggregateParkedException>(
            node.SendAsync(Movement.Credit("a", 10, "behind"), Cancellation));
        waiting.IsQueued.ShouldBeTrue();
        waiting.Message.ShouldContain("is kept in its place");
        (await node.SendAsync(Movement.Credit("a", 5, "before"), Cancellation)).IsDuplicate.ShouldBeTrue();
        (await node.SendAsync(Movement.Open("b"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        (await Balance(node, "a")).ShouldBe(5);
        node.IsReady.ShouldBeTrue();

        List<DeadLetter> letters = desk.Letters();
        letters.Select(l => (l.AggregateId.Value, l.Cause, l.IsQueued)).ShouldBe([("a", "not-avro", false), ("a", "queued", true)]);
        (letters[0].OriginTopic, letters[0].Partition).ShouldBe((desk.Topics.Commands, DeadLetterDesk.PartitionOf("a")));
        letters[0].Message.ShouldContain("wire format");
        ConsumeResult<byte[], byte[]> original = DeadLetterFormat.OriginalOf(desk.Fetch(letters[0]));
        original.Message.Key.ShouldBe("a"u8.ToArray());
        original.Message.Value.ShouldBe(Poison);
        original.Message.Headers.Select(h => (h.Key, Encoding.UTF8.GetString(h.GetValueBytes()))).ShouldBe(
            [("ce_id", "poison"), ("x-own", "kept")]);
        original.Offset.Value.ShouldBe(letters[0].OriginOffset);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Parked_set_survives_a_restart_with_and_without_stores_and_is_settled_in_order(bool deleteStores)
    {
        ApplicationDefinition application = BankFixture.NewBank();
        string data = Path.Combine(bank.Servers.Folder, application.Name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        await using (EventSourcedNode node = await bank.Servers.StartNodeAsync(application, data, Cancellation))
        {
            await node.SendAsync(Movement.Open("a"), Cancellation);
            await desk.Produce("a", Poison);
            await desk.Post(Movement.Credit("a", 10, "c1"));
            await desk.Post(Movement.Debit("a", 10, "d1")); // only after c1 is there something to take
            await desk.Post(Movement.Debit("a", 10, "d2"));
            await Should.ThrowAsync<AggregateParkedException>(
                node.Aggregates[0].CommandTopic.SendAsync(Movement.Credit("a", 7, "c2"), Cancellation));
        }

        if (deleteStores)
            Directory.Delete(data, recursive: true);
        await using EventSourcedNode restarted = await bank.Servers.StartNodeAsync(application, data, Cancellation);
        (await Should.ThrowAsync<AggregateParkedException>(restarted.SendAsync(Movement.Credit("a", 1), Cancellation))).Cause.ShouldBe(
            "not-avro");
        (await Should.ThrowAsync<AggregateParkedException>(restarted.SendAsync(Movement.Credit("a", 10, "c1"), Cancellation))).IsQueued
            .ShouldBeTrue();

        CommandReply still = desk.Retry("a");
        (still.Outcome, still.Code, still.Details["left"]).ShouldBe((ReplyOutcome.Rejected, "still-parked", "5"));
        DeadLetter poison = desk.Letters().First(l => !l.IsQueued);
        desk.Discard("a", poison.Offset).Outcome.ShouldBe(ReplyOutcome.Accepted);
        // what waits comes first
        await Should.ThrowAsync<AggregateParkedException>(restarted.SendAsync(Movement.Credit("a", 1), Cancellation));
        CommandReply done = desk.Retry("a");
        (done.Outcome, done.Details["settled"], done.Details["left"]).ShouldBe((ReplyOutcome.Accepted, "4", "0"));

        (await Movements(restarted, "a")).ShouldBe(["c1 10", "d1 -10", "c2 7"]); // d2 was rejected: nothing left to take
        desk.Letters().ShouldBeEmpty();
        desk.Letters(withResolved: true).Select(l => l.Resolution!.IsDiscarded ? $"discarded: {l.Resolution.Reason}" : l.Resolution.Outcome)
            .ShouldBe(["discarded: a test", "Accepted", "Accepted", "Rejected", "Accepted"]);
        foreach (string id in (string[])["c1", "c2"])
            (await restarted.SendAsync(Movement.Credit("a", id == "c1" ? 10 : 7, id), Cancellation)).IsDuplicate.ShouldBeTrue(id);
        (await restarted.SendAsync(Movement.Credit("a", 1, "after"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        desk.Retry("a").Code.ShouldBe("not-parked");
        (await Movements(restarted, "a")).Count.ShouldBe(4);
    }

    [Fact]
    public async Task Discarding_all_of_an_aggregate_opens_it_again()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        await node.SendAsync(Movement.Open("a"), Cancellation);
        await desk.Produce("a", Poison);
        await Should.ThrowAsync<AggregateParkedException>(
            node.Aggregates[0].CommandTopic.SendAsync(Movement.Credit("a", 10, "c1"), Cancellation));
        desk.Discard("a").Details["settled"].ShouldBe("2");
        (await node.SendAsync(Movement.Credit("a", 10, "c1"), Cancellation)).IsDuplicate.ShouldBeFalse(); // a discarded id may be sent anew
        desk.Letters(withResolved: true).ShouldAllBe(l =>
            l.Resolution!.IsDiscarded && l.Resolution.By == "Ada" && l.Resolution.Reason == "a test");
    }

    [Fact]
    public async Task Schema_that_the_registry_learns_later_lets_the_record_through()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        await node.SendAsync(Movement.Open("a"), Cancellation);

        // A producer was quicker than the registration of its schema.
        string older = Avro.AvroRecordType.Of<Credit>().SchemaJson.Replace("Minor units of the currency; positive.",
            Guid.CreateVersion7().ToString(), StringComparison.Ordinal);
        using var registry = new Confluent.SchemaRegistry.CachedSchemaRegistryClient(
            new Confluent.SchemaRegistry.SchemaRegistryConfig { Url = bank.Servers.Addresses.Registry });
        int last = await registry.RegisterSchemaAsync($"{application.Name}-probe",
            new Confluent.SchemaRegistry.Schema("{\"type\":\"record\",\"name\":\"" + application.Name.Replace('-', '_')
                + "\",\"fields\":[]}", Confluent.SchemaRegistry.SchemaType.Avro));
        int early = last + 10_000;
        byte[] value = [0, (byte)(early >> 24), (byte)(early >> 16), (byte)(early >> 8), (byte)early,
            .. Encode(new Credit
            {
                Amount = 3,
                Currency = "EUR",
                BookedOn = new DateOnly(2026, 1, 1),
                Operation = Operation.CashDeposit,
                Category = Category.None,
            })];
        await desk.Produce("a", value, ("ce_id", "early"));
        (await Should.ThrowAsync<AggregateParkedException>(
            node.Aggregates[0].CommandTopic.SendAsync(Movement.Credit("a", 4, "behind"), Cancellation))).Cause.ShouldBe("unknown-schema");
        desk.Retry("a").Code.ShouldBe("still-parked");

        using var http = new HttpClient();
        string body = System.Text.Json.JsonSerializer.Serialize(new { schema = older, schemaType = "AVRO", id = early, version = 1 });
        string subject = $"{bank.Servers.Addresses.Registry}/subjects/{application.Name}-late";
        HttpResponseMessage mode = await http.PutAsync($"{bank.Servers.Addresses.Registry}/mode/{application.Name}-late",
            new StringContent("{\"mode\":\"IMPORT\"}", Encoding.UTF8, "application/vnd.schemaregistry.v1+json"), Cancellation);
        mode.EnsureSuccessStatusCode();
        (await http.PostAsync($"{subject}/versions", new StringContent(body, Encoding.UTF8, "application/vnd.schemaregistry.v1+json"),
            Cancellation)).EnsureSuccessStatusCode();
        desk.Retry("a").Outcome.ShouldBe(ReplyOutcome.Accepted);
        (await Movements(node, "a")).ShouldBe(["early 3", "behind 4"]);
    }

    [Fact]
    public async Task Record_without_usable_key_stands_alone_and_can_only_be_discarded()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        await desk.Produce(null, Poison);
        await node.Aggregates[0].CommandTopic.SendAsync(Movement.Open(KeyOfPartition0()), Cancellation);
        DeadLetter lone = desk.Letters().ShouldHaveSingleItem();
        (lone.AggregateId.IsDefault, lone.Cause).ShouldBe((true, "invalid-aggregate-id"));
        desk.Ask(0, default, new DeadLetterRequest(false, lone.Offset, "Ada", null)).Code.ShouldBe("invalid-request");
        desk.Ask(0, default, new DeadLetterRequest(true, lone.Offset, "Ada", "no key")).Outcome.ShouldBe(ReplyOutcome.Accepted);
        desk.Letters().ShouldBeEmpty();
    }

    [Fact]
    public async Task Command_whose_decision_fails_parks_nothing()
    {
        ApplicationDefinition application = EventSourcedApplication.Named(Testing.TestServers.UniqueName("faulty"), "Fails on purpose.")
            .With(AggregateDefinition.Define("account", InitialState())
            .Decides<Credit>((_, credit) =>
                credit.Amount == 13 ? throw new InvalidOperationException("thirteen") : Decision.Accept(Credited(credit.Amount)))
            .Evolves<AccountCredited>((state, credited) => state with { Balance = state.Balance + credited.Amount })
            .Build()).Build();
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(application, null, Cancellation);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, application.Name);
        foreach (ICommandClient door in (ICommandClient[])[node, node.Aggregates[0].CommandTopic])
        {
            (await door.SendAsync(Movement.Credit("a", 13), Cancellation)).ShouldBeOfType<CommandResult.Faulted>().Code.ShouldBe(
                "decide-failed");
            (await door.SendAsync(Movement.Credit("a", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        }

        desk.Letters(withResolved: true).ShouldBeEmpty();
    }

    internal static AccountState InitialState() =>
        new() { Status = AccountStatus.Open, Owner = "", Currency = "CZK", Balance = 0, OverdraftLimit = 0, Credits = 0, Debits = 0 };

    internal static AccountCredited Credited(long amount) =>
        new()
        {
            Amount = amount,
            Currency = "CZK",
            BookedOn = new DateOnly(2026, 1, 1),
            Operation = Operation.CashDeposit,
            Category = Category.None,
            BalanceAfter = 0,
        };

    private static byte[] Encode(Avro.IAvroRecord value)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        var writer = new Avro.AvroWriter(buffer);
        value.WriteTo(ref writer);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static string KeyOfPartition0() => Enumerable.Range(0, 100).Select(i => $"k{i}").First(k => DeadLetterDesk.PartitionOf(k) == 0);

    private static async Task<long> Balance(EventSourcedNode node, string account) =>
        ((AccountState)(await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse(account), Cancellation))!.State).Balance;

    private static async Task<List<string>> Movements(EventSourcedNode node, string account)
    {
        var movements = new List<string>();
        await foreach (RecordedEvent recorded in node.Aggregates[0].History.ReadAggregateAsync(AggregateId.Parse(account), Cancellation))
        {
            if (recorded.Payload is AccountCredited credited)
                movements.Add($"{recorded.CommandId} {credited.Amount}");
            else if (recorded.Payload is AccountDebited debited)
                movements.Add($"{recorded.CommandId} -{debited.Amount}");
        }

        return movements;
    }
}
