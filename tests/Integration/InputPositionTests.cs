using System.Diagnostics.Metrics;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>
/// Commands without an id are decided once, whatever becomes of the group's committed offsets. They were decided again from the first on:
/// of 1,200 credits 2,144 took effect, as an aggregate remembers 256 ids.
/// </summary>
public sealed class InputPositionTests(BankFixture bank)
{
    private const int Credits = 400; // more than an aggregate remembers

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Commands_take_effect_once_when_the_offsets_of_the_group_are_gone(bool deleteStore, bool deleteSnapshots)
    {
        using var desk = new TopicDesk(bank.Servers);
        await using (EventSourcedNode node = await desk.Start(barrierEvents: 150))
        {
            await desk.Decide(node, [Movement.Open("a"), .. Many(() => Movement.Credit("a", 1), Credits)], Movement.Credit("a", 1, "last"));
            (await desk.Version(node, "a")).ShouldBe(Credits + 2);
        }

        await desk.DeleteGroup();
        if (deleteStore)
            desk.DeleteStore();
        if (deleteSnapshots)
            await desk.MakeAgain(desk.Topics.Snapshots);
        var log = new NodeLog();
        await using EventSourcedNode again = await desk.Start(log);
        log.Lines("LogResumed").ShouldHaveSingleItem().ShouldContain($"{desk.Topics.Commands} [0] is gone");
        await desk.Decide(again, [], Movement.Credit("a", 1, "next"));
        (await desk.Version(again, "a")).ShouldBe(Credits + 3);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Refused_command_stays_refused_when_the_offsets_of_the_group_are_gone(bool deleteStore, bool deleteSnapshots)
    {
        using var desk = new TopicDesk(bank.Servers);
        await using (EventSourcedNode node = await desk.Start())
        {
            await desk.Decide(node, [Movement.Open("a")], Movement.Credit("a", 1, "first"));
            // Nothing but refusals, more than are remembered; then what would let them pass, by the door that has no offsets.
            await desk.Decide(node, Many(() => Movement.Debit("a", 50), Credits), Movement.Debit("a", 50, "refused"));
            (await node.SendAsync(Movement.Credit("a", 1_000_000, "rich"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version
                .ShouldBe(3);
        }

        await desk.DeleteGroup();
        if (deleteStore)
            desk.DeleteStore();
        if (deleteSnapshots)
            await desk.MakeAgain(desk.Topics.Snapshots);
        await using EventSourcedNode again = await desk.Start();
        await desk.Decide(again, [], Movement.Credit("a", 1, "next"));
        (await desk.Version(again, "a")).ShouldBe(4);
    }

    [Fact]
    public async Task Committed_offset_that_was_set_back_does_not_count()
    {
        using var desk = new TopicDesk(bank.Servers);
        await using (EventSourcedNode node = await desk.Start())
            await desk.Decide(node, [Movement.Open("a"), .. Many(() => Movement.Credit("a", 1), Credits)], Movement.Credit("a", 1, "last"));
        await desk.CommitOffset(10);
        await desk.Post(Many(() => Movement.Credit("a", 1), 3));
        var log = new NodeLog();
        await using EventSourcedNode again = await desk.Start(log);
        log.Lines("LogResumed").ShouldHaveSingleItem().ShouldContain("is 10; the log says that its commands are decided up to");
        await desk.Decide(again, [], Movement.Credit("a", 1, "next"));
        (await desk.Version(again, "a")).ShouldBe(Credits + 6);
    }

    [Fact]
    public async Task Another_node_with_a_warm_copy_knows_how_far_commands_are_decided()
    {
        await using var nodes = new BankNodes(bank.Servers, 1, TimeSpan.FromSeconds(20));
        BankNode one = await nodes.Start("one", isStatic: false, Cancellation, standbys: 1);
        using var desk = new TopicDesk(bank.Servers, nodes.Application);
        await desk.Decide(one.Node, [Movement.Open("a"), .. Many(() => Movement.Credit("a", 1), Credits)], Movement.Credit("a", 1, "last"));
        BankNode two = await nodes.Start("two", isStatic: false, Cancellation, standbys: 1);
        while (!two.Part.Processor.CanRead(0, ReadConsistency.Eventual))
            await one.Node.SendAsync(Movement.Credit("b", 1), Cancellation);
        await nodes.Stop(one);
        await nodes.AllServed(Cancellation);
        await nodes.Stop(two);
        await desk.DeleteGroup();
        BankNode heir = await nodes.Start("two", isStatic: false, Cancellation, standbys: 1);
        await nodes.AllServed(Cancellation);
        await desk.Decide(heir.Node, [], Movement.Credit("a", 1, "next"));
        (await desk.Version(heir.Node, "a")).ShouldBe(Credits + 3);
    }

    [Fact]
    public async Task Commands_that_were_deleted_before_they_were_decided_are_told_as_lost()
    {
        using var desk = new TopicDesk(bank.Servers);
        await using (EventSourcedNode node = await desk.Start())
            await desk.Decide(node, [], Movement.Open("a"));
        await desk.Post(Many(() => Movement.Credit("a", 1), 5));
        await desk.DeleteRecords(desk.Topics.Commands, 4);

        long counted = 0;
        using var meters = new MeterListener { InstrumentPublished = (instrument, listener) => { if (instrument.Name == "kes_commands_lost")
            listener.EnableMeasurementEvents(instrument); } };
        meters.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            foreach (KeyValuePair<string, object?> tag in tags)
            {
                if (tag.Key == "application" && (string?)tag.Value == desk.Application.Name)
                    Interlocked.Add(ref counted, value);
            }
        });
        meters.Start();
        var log = new NodeLog();
        await using (EventSourcedNode again = await desk.Start(log))
        {
            log.Lines("LogLost").ShouldHaveSingleItem()
                .ShouldStartWith($"3 commands were deleted before they were decided, by retention or by hand: the offsets 1 to 3 "
                    + $"of {desk.Topics.Commands} [0].");
            Interlocked.Read(ref counted).ShouldBe(3);
            await desk.Decide(again, [], Movement.Credit("a", 1, "next"));
            (await desk.Version(again, "a")).ShouldBe(4);
        }

        // They are told once: the place is behind them now.
        var later = new NodeLog();
        await using EventSourcedNode third = await desk.Start(later);
        later.Lines("LogLost").ShouldBeEmpty();
    }

    // The partition decides at a gate that the test holds, and has no room for what comes meanwhile: the consumer is paused before it, and
    // resumed where there is nothing any more. Each command is more than may wait:
    // now and then the consumer was paused when the task had taken it already, and nobody resumed it.
    [Fact]
    public async Task Commands_that_are_deleted_while_a_node_runs_are_told_as_lost_and_the_next_are_decided()
    {
        using var gate = new ManualResetEventSlim();
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        CancellationToken cancellation = Cancellation;
        ApplicationDefinition application = EventSourcedApplication.Named(TestServers.UniqueName("gate"),
            "Decides when its gate is open.").With(AggregateDefinition.Define("account", new AccountState
        {
            Status = AccountStatus.None, Owner = "", Currency = "", Balance = 0, OverdraftLimit = 0, Credits = 0, Debits = 0,
        }).Decides<OpenAccount>((_, _) =>
        {
            held.TrySetResult();
            gate.Wait(cancellation);
            return Decision.Reject("gate-was-open", "Nothing is opened here.");
        }).Decides<Credit>((_, _) => Decision.Reject("late", "Nothing is credited here.")).Evolves<AccountOpened>((state, _) => state)
        .Build()).Build();
        using var desk = new TopicDesk(bank.Servers, application);
        var log = new NodeLog();
        await using EventSourcedNode node = await desk.Start(log, maxWaitingBytes: 1); // a partition has room for a little more at least
        CommandEnvelope large = Movement.Credit("a", 1);
        large = large with { Payload = (Credit)large.Payload with { PartnerBank = new string('x', 500_000) } };
        try
        {
            await desk.Post([Movement.Open("a")]);
            await held.Task.WaitAsync(Cancellation); // it is decided alone
            await desk.Post(Many(() => large, 19)); // more than may wait
            await desk.DeleteRecords(desk.Topics.Commands, 19);
        }
        finally
        {
            gate.Set();
        }

        // How many it has read by then is the consumer's affair.
        (await log.Line("LogLost").WaitAsync(Cancellation)).ShouldMatch(
            @"^\d+ commands were deleted before they were decided, by retention or by hand: "
                + $@"the offsets \d+ to 18 of {desk.Topics.Commands} \[0\]\.");
        (await node.Aggregates[0].CommandTopic.SendAsync(Movement.Credit("a", 1, "next"),
            Cancellation)).ShouldBeOfType<CommandResult.Rejected>().Rejection.Code.ShouldBe("late");
        log.Lines("LogLost").Count.ShouldBe(1);
    }

    private static IEnumerable<CommandEnvelope> Many(Func<CommandEnvelope> command, int count) =>
        Enumerable.Range(0, count).Select(_ => command());
}
