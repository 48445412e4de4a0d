using Banking.Domain;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Projections;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Events of a type that the code does not have any more, or does not have yet.</summary>
public sealed class UnreadableEventTests(BankFixture bank)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // With a warm store the node was healthy and took commands, verify crashed, and the next restore parked every aggregate that had one.
    [Fact]
    public async Task Start_of_code_without_a_type_that_the_log_has_is_refused_and_names_type_count_and_first_offset()
    {
        string name = Testing.TestServers.UniqueName("removed");
        string data = Path.Combine(bank.Servers.Folder, name);
        await using (EventSourcedNode whole = await Start(name, data, withDebits: true))
        {
            await whole.SendAsync(Movement.Credit("a", 10), Cancellation);
            for (int i = 0; i < 3; i++)
                (await whole.SendAsync(Movement.Debit("a", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        }

        LogRefusedException refused = await Should.ThrowAsync<LogRefusedException>(Start(name, data, withDebits: false));
        refused.Message.ShouldContain($"{name}.account.events has events that the account of this program does not evolve: "
            + $"Banking.Domain.AccountDebited, 3 of them, the first at {DeadLetterDesk.PartitionOf("a")}@2");
        refused.Message.ShouldContain("--ignore-unknown-events");

        await using EventSourcedNode told = await Start(name, data, withDebits: false, ignore: true);
        (await told.SendAsync(Movement.Credit("b", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        VerificationReport report = await new Verifier(told, told.Aggregates[0]).RunAsync(Cancellation);
        report.IsConsistent.ShouldBeFalse();
        report.Differences.ShouldContain(d => d.Contains("AccountDebited", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Type_that_is_registered_and_never_written_refuses_nothing()
    {
        string name = Testing.TestServers.UniqueName("unused");
        string data = Path.Combine(bank.Servers.Folder, name);
        await using (EventSourcedNode whole = await Start(name, data, withDebits: true))
            await whole.SendAsync(Movement.Credit("a", 10), Cancellation);
        await using EventSourcedNode part = await Start(name, data, withDebits: false);
        (await part.SendAsync(Movement.Credit("a", 1), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
    }

    [Fact]
    public async Task What_was_parked_as_the_code_could_not_read_it_is_folded_and_decided_in_order_by_code_that_can()
    {
        string name = Testing.TestServers.UniqueName("unread");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        string[] accounts = ["a", "b", "c"];
        await using (EventSourcedNode whole = await Start(name, data, withDebits: true, barrierEvents: 1_000))
        {
            foreach (string account in accounts)
            {
                await whole.SendAsync(Movement.Credit(account, 10), Cancellation);
                await whole.SendAsync(Movement.Debit(account, 1), Cancellation);
                await whole.SendAsync(Movement.Credit(account, 5), Cancellation);
            }
        }

        Directory.Delete(data, recursive: true);
        for (int start = 0; start < 2; start++)
        {
            await using EventSourcedNode part = await Start(name, data, withDebits: false, ignore: true);
            foreach (string account in accounts)
                (await Should.ThrowAsync<AggregateParkedException>(part.Aggregates[0].CommandTopic.SendAsync(
                    Movement.Credit(account, 100, $"queued-{start}"), Cancellation))).Cause.ShouldBe("unknown-event");
        }

        desk.Letters().Count.ShouldBe(accounts.Length * 3);
        AggregateView?[] views;
        await using (EventSourcedNode whole = await Start(name, data, withDebits: true, barrierEvents: 1_000))
        {
            views = await Views(whole, accounts);
            views.Select(v => (v!.Version, ((AccountState)v.State).Balance)).ShouldBe(accounts.Select(_ => (5L, 214L)));
            desk.Letters().ShouldBeEmpty();
            desk.Letters(withResolved: true).Where(l => l.OriginTopic == desk.Topics.Events).ShouldAllBe(l =>
                l.Resolution!.Outcome == "Folded" && l.Resolution.By.Contains("which can read it", StringComparison.Ordinal));
            (await whole.SendAsync(Movement.Credit("a", 100, "queued-1"), Cancellation)).IsDuplicate.ShouldBeTrue();
        }

        Directory.Delete(data, recursive: true);
        await using EventSourcedNode again = await Start(name, data, withDebits: true);
        (await Views(again, accounts)).ShouldBe(views);
    }

    [Fact]
    public async Task Aggregate_that_meets_another_event_which_cannot_be_read_is_parked_there_in_its_turn()
    {
        string name = Testing.TestServers.UniqueName("twice");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await using (EventSourcedNode whole = await Start(name, data, withDebits: true))
        {
            await whole.SendAsync(Movement.Credit("a", 10), Cancellation);
            await whole.SendAsync(Movement.Debit("a", 1), Cancellation);
            await whole.SendAsync(Movement.Debit("a", 13), Cancellation);
            await whole.SendAsync(Movement.Credit("a", 5), Cancellation);
        }

        Directory.Delete(data, recursive: true);
        await using (EventSourcedNode part = await Start(name, data, withDebits: false, ignore: true))
            desk.Letters().Select(l => (l.Cause, l.OriginOffset)).ShouldBe([("unknown-event", 2L)]);
        for (int start = 0; start < 2; start++)
        {
            await using EventSourcedNode failing = await Start(name, data, withDebits: true, fails: true);
            desk.Letters().Select(l => (l.Cause, l.OriginOffset)).ShouldBe([("unfoldable-event", 4L)]);
        }

        await using EventSourcedNode mended = await Start(name, data, withDebits: true);
        desk.Retry("a").Outcome.ShouldBe(ReplyOutcome.Accepted);
        AggregateView view = (await mended.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation))!;
        (view.Version, ((AccountState)view.State).Balance).ShouldBe((4, 1));
    }

    // It could not be given up: the aggregate was lost, and the read models of its partition stood still for good.
    [Fact]
    public async Task Event_that_nobody_can_read_is_discarded_and_keeps_its_version_for_every_reader()
    {
        string name = Testing.TestServers.UniqueName("giveup");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await using (EventSourcedNode whole = await Start(name, data, withDebits: true, barrierEvents: 1_000))
        {
            await whole.SendAsync(Movement.Credit("a", 10, "c1"), Cancellation);
            await whole.SendAsync(Movement.Debit("a", 1, "d1"), Cancellation);
            await whole.SendAsync(Movement.Credit("a", 5, "c2"), Cancellation);
            await whole.SendAsync(Movement.Debit("a", 2, "d2"), Cancellation);
        }

        Directory.Delete(data, recursive: true);
        await using (EventSourcedNode part = await Start(name, data, withDebits: false, ignore: true, barrierEvents: 1_000))
        {
            desk.Retry("a").Code.ShouldBe("still-parked");
            desk.Discard("a").Outcome.ShouldBe(ReplyOutcome.Accepted);
            desk.Discard("a").Outcome.ShouldBe(ReplyOutcome.Accepted); // the second one, which is met only now
            desk.Letters().ShouldBeEmpty();
            await Holds(part, version: 4, balance: 15);
            (await part.SendAsync(Movement.Credit("a", 1, "c3"), Cancellation)).Version.ShouldBe(5);
        }

        // Also by code that can read it, from the store, from the snapshots and from the events: what was given up stays so.
        for (int start = 0; start < 3; start++)
        {
            await using (EventSourcedNode whole = await Start(name, data, withDebits: true, barrierEvents: 1_000))
            {
                await Holds(whole, version: 5, balance: 16);
                (await whole.SendAsync(Movement.Debit("a", 1, "d1"), Cancellation)).IsDuplicate.ShouldBeTrue(); // its outcome stays known
            }

            if (start > 0)
                Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Event_that_can_be_read_cannot_be_discarded()
    {
        string name = Testing.TestServers.UniqueName("history");
        string data = Path.Combine(bank.Servers.Folder, name);
        using var desk = new DeadLetterDesk(bank.Servers.Addresses, name);
        await using (EventSourcedNode whole = await Start(name, data, withDebits: true))
        {
            await whole.SendAsync(Movement.Credit("a", 10), Cancellation);
            await whole.SendAsync(Movement.Debit("a", 13), Cancellation);
        }

        Directory.Delete(data, recursive: true);
        await using EventSourcedNode failing = await Start(name, data, withDebits: true, fails: true);
        desk.Letters().Select(l => l.Cause).ShouldBe(["unfoldable-event"]);
        desk.Discard("a").Code.ShouldBe("event-is-history");
    }

    private static async Task<AggregateView?[]> Views(EventSourcedNode node, string[] accounts)
    {
        var views = new List<AggregateView?>();
        foreach (string account in accounts)
            views.Add(await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse(account), Cancellation));
        return [.. views];
    }

    private static async Task Holds(EventSourcedNode node, long version, long balance)
    {
        AggregateView view = (await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation))!;
        (view.Version, ((AccountState)view.State).Balance).ShouldBe((version, balance));
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        while (node.Aggregates[0].StoppedReadModels.Count > 0) // they find out at their next try
            await look.WaitForNextTickAsync(Cancellation);
        await node.WaitForReadModelsAsync(Cancellation);
        (await node.ReadModels.GetCollection<BsonDocument>("balances").Find(new BsonDocument("_id", "a"))
            .SingleAsync(Cancellation))["balance"].ToInt64().ShouldBe(balance);
        (await new Verifier(node, node.Aggregates[0]).RunAsync(Cancellation)).Differences.ShouldBeEmpty();
        var history = new List<long>();
        await foreach (RecordedEvent recorded in node.Aggregates[0].History.ReadAggregateAsync(AggregateId.Parse("a"), Cancellation))
            history.Add(recorded.Version);
        List<long> read = version == 4 ? [1, 3] : [1, 3, 5];
        history.ShouldBe(read);
        HistoryPage page = (await node.Aggregates[0].Reads.ReadHistoryAsync(AggregateId.Parse("a"), new HistoryQuery(), Cancellation))!;
        page.Entries.Select(e => e.Version).ShouldBe(Enumerable.Range(1, (int)version).Select(v => (long)v));
        page.Entries.Where(e => !e.IsDiscarded).Select(e => e.Version).ShouldBe(read);
        page.Entries.ShouldAllBe(e => e.Events.Count == (e.IsDiscarded ? 0 : 1));
        (await node.Aggregates[0].Histories.ReadVersionAsync(AggregateId.Parse("a"), version, Cancellation)).ShouldBe(
            await node.Aggregates[0].Reads.ReadAsync(AggregateId.Parse("a"), Cancellation));
    }

    private static ProjectionDefinition Balances(bool withDebits)
    {
        ProjectionBuilder<BalanceDocument> balances = ProjectionDefinition.Define<BalanceDocument>("balances")
            .Folds<AccountCredited>((document, credited, r) =>
                new BalanceDocument(r.AggregateId.Value, (document?.Balance ?? 0) + credited.Amount));
        return (withDebits ? balances.Folds<AccountDebited>((document, debited, r) =>
            new BalanceDocument(r.AggregateId.Value, (document?.Balance ?? 0) - debited.Amount)) : balances).Build();
    }

    private Task<EventSourcedNode> Start(string name, string data, bool withDebits, bool ignore = false, int barrierEvents = 50_000,
        bool fails = false)
    {
        AggregateBuilder<AccountState> account = AggregateDefinition.Define("account", ParkedCommandTests.InitialState())
            .Decides<Credit>((_, credit) => Decision.Accept(ParkedCommandTests.Credited(credit.Amount)))
            .Evolves<AccountCredited>((state, credited) => state with { Balance = state.Balance + credited.Amount });
        if (withDebits)
        {
            account = account
                .Decides<Debit>((_, debit) =>
                    Decision.Accept(new AccountDebited
                    {
                        Amount = debit.Amount,
                        Currency = "EUR",
                        BookedOn = debit.BookedOn,
                        Operation = debit.Operation,
                        Category = debit.Category,
                        BalanceAfter = 0,
                    }))
                .Evolves<AccountDebited>((state, debited) =>
                    fails && debited.Amount == 13
                        ? throw new InvalidOperationException("thirteen")
                        : state with { Balance = state.Balance - debited.Amount });
        }

        ApplicationDefinition application = EventSourcedApplication.Named(name, "Has debits, or does not.").With(account.Build()).With(
            Balances(withDebits)).Build();
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = data,
            Partitions = 2,
            BarrierEvents = barrierEvents,
            IgnoreUnknownEvents = ignore,
        };
        return EventSourcedNode.StartAsync(application, bank.Servers.Addresses, options, NullLoggerFactory.Instance, TimeProvider.System,
            Cancellation);
    }

    private sealed record BalanceDocument(string Id, long Balance);
}
