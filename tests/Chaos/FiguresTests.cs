using KafkaEventSourcing.Chaos;
using KafkaEventSourcing.Chaos.Cluster;
using KafkaEventSourcing.Chaos.Domain;
using KafkaEventSourcing.Chaos.Faults;
using KafkaEventSourcing.Chaos.Verdict;
using KafkaEventSourcing.Hosting.Load;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Tests;

public sealed class FiguresTests
{
    [Fact]
    public void A_fault_holds_calls_up_until_the_last_that_suffered_has_its_answer()
    {
        InjectedFault[] faults = [Fault(FaultKind.KillNode, 100), Fault(FaultKind.CutKafka, 1_000), Fault(FaultKind.EndNode, 2_000)];
        RecordedCall[] calls =
        [
            Read("a", 110, 140), // answered at once, however late it is asked
            Read("a", 990, 995),
            Sent("lost", 50, new CallAnswer.Unknown(130, "cut")), // begun before, open at the fault, sent again
            Sent("lost", 140, Told("lost", 400)),
            Sent("lost", 600, Told("lost", 650)), // told again: it had its outcome
            Sent("slow", 300, Told("slow", 450)), // answered, after more than a second
            Sent("never", 120, new CallAnswer.Unknown(9_000, "nobody there")),
            Read("b", 1_010, 1_400),
            Read("b", 1_010, 1_500) with { Consistency = ReadConsistency.Eventual },
            Read("b", 3_010, 3_500), // at rest
        ];
        StallDurations.Of(faults, calls, loadEnded: 3_000, frequency: 100).ShouldBe([(FaultKind.KillNode, TimeSpan.FromSeconds(3.5)),
            (FaultKind.CutKafka, TimeSpan.FromSeconds(4)), (FaultKind.EndNode, TimeSpan.Zero)]);
    }

    [Fact]
    public void Table_tells_by_kind_what_faults_held_up()
    {
        var figures = new ChaosFigures { Runs = 2, Commands = 1_234 };
        InjectedFault pause = Fault(FaultKind.PauseNode, 0);
        figures.Count([pause, pause]);
        figures.HeldUp(FaultKind.PauseNode, TimeSpan.FromSeconds(2.5));
        var latency = new LatencyHistogram();
        latency.Record(TimeSpan.FromMilliseconds(8));
        figures.Took(latency, new LatencyHistogram());
        string[] lines = figures.ToString().Split(Environment.NewLine);
        lines.ShouldContain(l => l.StartsWith("commands ", StringComparison.Ordinal) && l.EndsWith(" 1,234", StringComparison.Ordinal));
        lines.ShouldContain(l =>
            l.StartsWith("command, p50", StringComparison.Ordinal) && l.EndsWith("8.0 / 8.0 / 8.0 ms", StringComparison.Ordinal));
        lines[^2].Split(' ', StringSplitOptions.RemoveEmptyEntries).ShouldBe(["pause-node", "2", "2.50", "s", "2.50", "s", "2.50", "s"]);
        lines[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries).ShouldBe(["all", "2"]);
    }

    // Without them a run that restores nothing from streams would look like a proof.
    [Fact]
    public void What_nodes_log_of_their_restores_is_counted_and_told()
    {
        const string log = """
            info: Partition 2 has 12 aggregates from wallet-streams-wallet-snapshots-changelog, which have all events before offset 96
            info: Partition 0 has 3 aggregates from wallet-streams-payment-snapshots-changelog, which have all events before offset 7
            info: Partition 1 has 40 aggregates from the barrier in wallets.wallet.snapshots, which has all events before offset 80
            warn: The snapshots of event streams in s-wallet-snapshots-changelog, partition 1, cannot be used: its streams have begun with the event at offset 3, and there are events before. The aggregates are restored from a barrier, or folded from their events
            warn: The snapshots of event streams in s-wallet-snapshots-changelog, partition 3, cannot be used: its streams have begun with the event at offset 5, and there are events before. The aggregates are restored from a barrier, or folded from their events
            info: Partition 3 of wallets.wallet.events is folded from its first event: there is no state store, and nothing to restore from
            error: The snapshots of event streams in s-wallet-snapshots-changelog that partition 3 was filled with are not complete: a gap. The aggregates are folded from their events
            """;
        RestoreFigures once = RestoreFigures.Of(log);
        (once.FromStreams, once.Aggregates, once.FromBarriers, once.Folded, once.Short).ShouldBe((2, 15L, 1, 1, 1));
        once.Unused.ShouldBe(new Dictionary<string, int>
        {
            ["its streams have begun with the event at offset N, and there are events before"] = 2,
        });
        var figures = new ChaosFigures { WithStreams = true, Restores = once + once };
        figures.Count([Fault(FaultKind.KillStreams, 0), Fault(FaultKind.WipeNode, 1)]);
        string[] lines = figures.ToString().Split(Environment.NewLine);
        foreach ((string what, string times) in (ReadOnlySpan<(string, string)>)[("from streams", "4"), ("from barriers", "2"),
            ("from all events", "2"), ("faults of streams", "1")])
            lines.Single(l => l.Contains(what, StringComparison.Ordinal)).ShouldEndWith($" {times}");
        lines.ShouldContain("    4 times: its streams have begun with the event at offset N, and there are events before");
    }

    [Fact]
    public void Money_that_payments_lost_or_made_is_found()
    {
        HashSet<CommandId> sent = [CommandId.Parse("in")];
        FinalState Wallet(string id, params RecordedEvent[] events) => new(AggregateId.Parse(id), events.Length,
            new WalletState
            {
                Balance = events.Sum(e => e.Payload is MoneyPutIn put ? put.Amount : -((MoneyTakenOut)e.Payload).Amount),
                Movements = events.Length,
                Digest = 0,
            }, events);
        FinalState Payment(PaymentStatus status, bool rang) =>
            new(AggregateId.Parse("p"), 1, new PaymentState { Status = status, From = "a", To = "b", Amount = 5, Rang = rang }, []);
        string? Wrong(FinalState a, FinalState b, FinalState payment) =>
            WalletApplication.WhatIsWrong(new Dictionary<string, IReadOnlyCollection<FinalState>>
            {
                ["wallet"] = [a, b], ["payment"] = [payment],
            }, sent);

        FinalState a = Wallet("a", Event("in", new MoneyPutIn { Amount = 9, BalanceAfter = 9 }),
            Event("take", new MoneyTakenOut { Amount = 5, BalanceAfter = 4 }));
        FinalState b = Wallet("b", Event("give", new MoneyPutIn { Amount = 5, BalanceAfter = 5 }));
        Wrong(a, b, Payment(PaymentStatus.Done, rang: true)).ShouldBeNull();
        Wrong(a, b, Payment(PaymentStatus.Done, rang: false)).ShouldNotBeNull().ShouldContain("not come to its end");
        Wrong(a, Wallet("b"), Payment(PaymentStatus.Done, rang: true)).ShouldNotBeNull().ShouldContain("4; 9 was paid in");
        Wrong(a, b, Payment(PaymentStatus.Returned, rang: true)).ShouldNotBeNull().ShouldContain("payments have moved -5");
    }

    [Theory]
    [InlineData("500ms", 0.5)]
    [InlineData("1.5s", 1.5)]
    [InlineData("2m", 120)]
    [InlineData("1h", 3_600)]
    public void Times_have_units(string text, double seconds)
    {
        ChaosCommand.TryParse(text, out TimeSpan time).ShouldBeTrue();
        time.TotalSeconds.ShouldBe(seconds);
    }

    [Theory]
    [InlineData("5")]
    [InlineData("-5s")]
    [InlineData("s")]
    [InlineData("99999h")]
    public void Times_without_sense_are_refused(string text) => ChaosCommand.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void Kafka_connections_are_known_by_the_client_id_of_their_first_request()
    {
        byte[] request = [0, 0, 0, 40, 0, 18, 0, 3, 0, 0, 0, 1, 0, 6, (byte)'n', (byte)'o', (byte)'d', (byte)'e', (byte)'-', (byte)'1', 0];
        OwnServers.ClientId(request).ShouldBe("node-1");
        OwnServers.ClientId(request.AsSpan(0, 19)).ShouldBeNull();
        OwnServers.ClientId(request.AsSpan(0, 5)).ShouldBeNull();
        request[12] = request[13] = 0xFF;
        OwnServers.ClientId(request).ShouldBe("");
    }

    private static InjectedFault Fault(FaultKind kind, long started) =>
        new(new Fault(TimeSpan.Zero, kind, 0, TimeSpan.Zero, TimeSpan.Zero), started);

    private static RecordedCall Sent(string commandId, long started, CallAnswer answer) =>
        new("caller", AggregateId.Parse("x"), new CommandEnvelope(AggregateId.Parse("x"), CommandId.Parse(commandId), new object()),
            started, answer);

    private static CallAnswer.Told Told(string commandId, long ended) =>
        new(ended, new CommandResult.Accepted(CommandId.Parse(commandId), AggregateId.Parse("x"), 1, default));

    private static RecordedCall Read(string id, long started, long ended) =>
        new("caller", AggregateId.Parse(id), null, started, new CallAnswer.Seen(ended, null));

    private static RecordedEvent Event(string command, object payload) => new()
    {
        AggregateId = AggregateId.Parse("x"), Version = 1, Payload = payload, Partition = 0, Offset = 0, Time = default,
        CommandId = CommandId.Parse(command),
    };
}
