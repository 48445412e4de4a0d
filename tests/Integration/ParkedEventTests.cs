using Banking.Domain;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Health;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Projections;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class ParkedEventTests(BankFixture bank)
{
    private const long Unlucky = 13;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Event_that_cannot_be_folded_parks_its_aggregate_until_code_that_can_is_there(bool deleteStoresWithTheRepair)
    {
        string name = Testing.TestServers.UniqueName("fold");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        // no snapshot may save the account from being folded
        await using (EventSourcedNode sound = await Start(name, data, fails: false, barrierEvents: 1_000))
        {
            foreach ((string account, long amount) in ((string, long)[])[("a", 1), ("a", Unlucky), ("a", 2), ("b", 4)])
                (await sound.SendAsync(Movement.Credit(account, amount), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        }

        Directory.Delete(data, recursive: true);
        for (int start = 0; start < 2; start++)
        {
            await using EventSourcedNode failing = await Start(name, data, fails: true);
            AggregateParkedException read = await Should.ThrowAsync<AggregateParkedException>(async () =>
                await failing.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation));
            (read.Cause, read.IsQueued).ShouldBe(("unfoldable-event", false));
            read.Message.ShouldContain("thirteen");
            await Should.ThrowAsync<AggregateParkedException>(failing.SendAsync(Movement.Credit("a", 100), Cancellation));
            (await Should.ThrowAsync<AggregateParkedException>(failing.Aggregates[0].CommandTopic.SendAsync(
                Movement.Credit("a", 10, $"queued-{start}"), Cancellation))).IsQueued.ShouldBeTrue();

            // Enough of another account to have barriers written while this one is parked.
            for (int i = 0; i < 4; i++)
                (await failing.SendAsync(Movement.Credit(SamePartitionAs("a"), 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            (await Balance(failing, "b")).ShouldBe(4);
        }

        await using (EventSourcedNode failing = await Start(name, data, fails: true))
        {
            desk.Letters().Select(l => (l.Cause, l.OriginTopic)).ShouldBe(
                [("unfoldable-event", desk.Topics.Events), ("queued", desk.Topics.Commands), ("queued", desk.Topics.Commands)]);
            CommandReply still = desk.Retry("a");
            (still.Code, still.Message!.Contains("thirteen", StringComparison.Ordinal)).ShouldBe(("still-parked", true));
            desk.Discard("a").Code.ShouldBe("event-is-history");
        }

        if (deleteStoresWithTheRepair)
            Directory.Delete(data, recursive: true);
        AggregateView after;
        await using (EventSourcedNode repaired = await Start(name, data, fails: false))
        {
            // until the operator says so
            await Should.ThrowAsync<AggregateParkedException>(async () =>
                await repaired.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation));
            desk.Retry("a").Outcome.ShouldBe(ReplyOutcome.Accepted);
            after = (await repaired.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation))!;
            (after.Version, ((AccountState)after.State).Balance).ShouldBe((5, 1 + Unlucky + 2 + 10 + 10));
            desk.Letters().ShouldBeEmpty();
        }

        // From the store, then from the snapshots: both were written while the account was parked.
        for (int start = 0; start < 2; start++)
        {
            await using (EventSourcedNode again = await Start(name, data, fails: false))
                (await again.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation)).ShouldBe(after);
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Store_that_missed_the_repair_on_another_node_is_filled_again()
    {
        string name = Testing.TestServers.UniqueName("missed");
        string here = Path.Combine(bank.Servers.Folder, name), there = here + "-there";
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await using (EventSourcedNode sound = await Start(name, there, fails: false, barrierEvents: 1_000))
        {
            foreach (long amount in (long[])[1, Unlucky, 2])
                (await sound.SendAsync(Movement.Credit("a", amount), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        }

        await using (EventSourcedNode failing = await Start(name, here, fails: true, barrierEvents: 1_000))
            await Should.ThrowAsync<AggregateParkedException>(async () =>
                await failing.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation));
        Directory.Delete(there, recursive: true);
        await using (EventSourcedNode repaired = await Start(name, there, fails: false, barrierEvents: 1_000))
            desk.Retry("a").Outcome.ShouldBe(ReplyOutcome.Accepted);

        await using EventSourcedNode back = await Start(name, here, fails: false, barrierEvents: 1_000);
        (await Balance(back, "a")).ShouldBe(1 + Unlucky + 2);
        (await back.SendAsync(Movement.Credit("a", 4), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(4);
    }

    [Fact]
    public async Task Record_of_somebody_else_in_the_events_topic_parks_its_aggregate_and_no_other()
    {
        string name = Testing.TestServers.UniqueName("foreign");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await using (EventSourcedNode node = await Start(name, data, fails: false))
            await node.SendAsync(Movement.Credit("a", 1), Cancellation);
        await desk.Produce(desk.Topics.Events, "a", [1, 2, 3]);
        await desk.Produce(desk.Topics.Events, null, [1, 2, 3]);
        for (int start = 0; start < 3; start++)
        {
            if (start == 2)
                Directory.Delete(data, recursive: true);
            await using EventSourcedNode node = await Start(name, data, fails: false);
            (await node.SendAsync(Movement.Credit("b", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            await Should.ThrowAsync<AggregateParkedException>(node.SendAsync(Movement.Credit("a", 1), Cancellation));
        }

        desk.Letters().Select(l => (l.AggregateId.ToString(), l.Cause)).ShouldBe([("", "foreign-record"), ("a", "foreign-record")],
            ignoreOrder: true);
    }

    [Fact]
    public async Task Records_of_somebody_else_in_the_events_topic_are_passed_over_once_they_are_discarded()
    {
        string name = Testing.TestServers.UniqueName("discard");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await using (EventSourcedNode node = await Start(name, data, fails: false, barrierEvents: 1_000, projection: Balances))
        {
            await node.SendAsync(Movement.Credit("a", 1), Cancellation);
            await desk.Produce(desk.Topics.Events, "a", [1, 2, 3]);
            await desk.Produce(desk.Topics.Events, "a", [4, 5, 6]);
            await node.SendAsync(Movement.Credit("a", 2), Cancellation); // the writer does not read its own topic
            (await Should.ThrowAsync<ReadModelsStoppedException>(node.WaitForReadModelsAsync(Cancellation))).Message.ShouldContain(
                "is not an event");
            node.Aggregates[0].StoppedReadModels.Keys.ShouldBe([DeadLetterDesk.PartitionOf("a")]);
            CheckResult told = node.Checks.Single(c => c.Name == "read-models").Look(); // it was healthy without a word
            told.Status.ShouldBe(CheckStatus.Degraded);
            told.Reason!.ShouldStartWith($"account {DeadLetterDesk.PartitionOf("a")} stands still: ");
        }

        Directory.Delete(data, recursive: true);
        await using (EventSourcedNode node = await Start(name, data, fails: false, barrierEvents: 1_000, projection: Balances))
        {
            await Should.ThrowAsync<AggregateParkedException>(node.SendAsync(Movement.Credit("a", 4), Cancellation));
            desk.Retry("a").Code.ShouldBe("still-parked");
            desk.Discard("a").Outcome.ShouldBe(ReplyOutcome.Accepted);
            // by the second one, which is met only now
            await Should.ThrowAsync<AggregateParkedException>(node.SendAsync(Movement.Credit("a", 4), Cancellation));
            desk.Discard("a").Outcome.ShouldBe(ReplyOutcome.Accepted);
            desk.Letters().ShouldBeEmpty();
            (await node.SendAsync(Movement.Credit("a", 4), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(3);
            await ReadModelsGoOn(node);
            (await new Verifier(node, node.Aggregates[0]).RunAsync(Cancellation)).IsConsistent.ShouldBeTrue();
        }

        for (int start = 0; start < 2; start++)
        {
            await using (EventSourcedNode node = await Start(name, data, fails: false, barrierEvents: 1_000, projection: Balances))
            {
                (await Balance(node, "a")).ShouldBe(7);
                (await new Verifier(node, node.Aggregates[0]).RunAsync(Cancellation)).IsConsistent.ShouldBeTrue();
            }

            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Event_that_a_projection_does_not_take_holds_its_partition_up_and_no_other()
    {
        string name = Testing.TestServers.UniqueName("held");
        string data = Path.Combine(bank.Servers.Folder, name);
        string other = Enumerable.Range(0, 100).Select(i => $"other-{i}").First(o =>
            DeadLetterDesk.PartitionOf(o) != DeadLetterDesk.PartitionOf("a"));
        await using (EventSourcedNode node = await Start(name, data, fails: false, projection: PickyBalances))
        {
            foreach ((string account, long amount) in ((string, long)[])[("a", 1), (other, 2), ("a", Unlucky), ("a", 3), (other, 4)])
                (await node.SendAsync(Movement.Credit(account, amount), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            (await Should.ThrowAsync<ReadModelsStoppedException>(node.WaitForReadModelsAsync(Cancellation))).Message.ShouldContain(
                "thirteen");
            ConsistencyToken last = (await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse(other), Cancellation))!.Token;
            await node.Aggregates[0].Projections!.Positions.WaitForAsync(last, Cancellation);
            (await Document(node, other)).ShouldBe(6);
            (await Document(node, "a")).ShouldBe(1); // all before the event that is not taken
            node.Completion.IsCompleted.ShouldBeFalse();
            (await Balance(node, "a")).ShouldBe(1 + Unlucky + 3);
        }

        await using EventSourcedNode mended = await Start(name, data, fails: false, projection: Balances);
        await mended.WaitForReadModelsAsync(Cancellation);
        (await Document(mended, "a")).ShouldBe(1 + Unlucky + 3);
    }

    private static ProjectionDefinition Balances { get; } = BalancesThat(take: _ => true);

    private static ProjectionDefinition PickyBalances { get; } = BalancesThat(take: amount => amount != Unlucky);

    private static ProjectionDefinition BalancesThat(Func<long, bool> take) => ProjectionDefinition.Define<BalanceDocument>("balances")
        .Folds<AccountCredited>((document, credited, r) => take(credited.Amount)
            ? new BalanceDocument(r.AggregateId.Value, (document?.Balance ?? 0) + credited.Amount)
            : throw new InvalidOperationException("thirteen"))
        .Build();

    private static async Task<long> Document(EventSourcedNode node, string account) =>
        (await node.ReadModels.GetCollection<BsonDocument>("balances").Find(new BsonDocument("_id", account))
            .SingleAsync(Cancellation))["balance"].ToInt64();

    // They find out at their next try.
    private static async Task ReadModelsGoOn(EventSourcedNode node)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        while (node.Aggregates[0].StoppedReadModels.Count > 0)
            await look.WaitForNextTickAsync(Cancellation);
        await node.WaitForReadModelsAsync(Cancellation);
    }

    private sealed record BalanceDocument(string Id, long Balance);

    [Fact]
    public async Task Snapshot_that_cannot_be_read_is_passed_over_and_the_events_are_folded()
    {
        string name = Testing.TestServers.UniqueName("snapshots");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await using (EventSourcedNode node = await Start(name, data, fails: false))
        {
            for (int i = 0; i < 5; i++)
                await node.SendAsync(Movement.Credit("a", 1), Cancellation);
        }

        await desk.Produce(desk.Topics.Snapshots, "a", [1, 2, 3]);
        Directory.Delete(data, recursive: true);
        await using EventSourcedNode again = await Start(name, data, fails: false);
        (await Balance(again, "a")).ShouldBe(5);
        (await again.SendAsync(Movement.Credit("a", 1), Cancellation)).Version.ShouldBe(6);
    }

    private static string SamePartitionAs(string account) =>
        Enumerable.Range(0, 100).Select(i => $"other-{i}").First(o => DeadLetterDesk.PartitionOf(o) == DeadLetterDesk.PartitionOf(account));

    private static async Task<long> Balance(EventSourcedNode node, string account) =>
        ((AccountState)(await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse(account), Cancellation))!.State).Balance;

    private Task<EventSourcedNode> Start(string name, string data, bool fails, int barrierEvents = 2,
        ProjectionDefinition? projection = null)
    {
        EventSourcedApplication described = EventSourcedApplication.Named(name, "Folds, or does not.")
            .With(AggregateDefinition.Define("account", ParkedCommandTests.InitialState())
            .Decides<Credit>((_, credit) => Decision.Accept(ParkedCommandTests.Credited(credit.Amount)))
            .Evolves<AccountCredited>((state, credited) => fails && credited.Amount == Unlucky
                ? throw new InvalidOperationException("thirteen")
                : state with { Balance = state.Balance + credited.Amount })
            .Build());
        ApplicationDefinition application = (projection is null ? described : described.With(projection)).Build();
        var options = new KafkaEventSourcingOptions { DataDirectory = data, Partitions = 2, BarrierEvents = barrierEvents };
        return EventSourcedNode.StartAsync(application, bank.Servers.Addresses, options, NullLoggerFactory.Instance, TimeProvider.System,
            Cancellation);
    }
}
