using KafkaEventSourcing.Cli.Chaos;
using KafkaEventSourcing.Cli.Chaos.Cluster;
using KafkaEventSourcing.Cli.Chaos.Domain;
using KafkaEventSourcing.Cli.Chaos.Faults;
using KafkaEventSourcing.Cli.Chaos.Verdict;
using KafkaEventSourcing.Hosting.Load;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Cli.Tests.Chaos;

public sealed class FiguresTests
{
    [Fact]
    public void Recovery_is_when_every_aggregate_has_answered_a_call_that_began_after_the_fault()
    {
        InjectedFault[] faults = [new(new Fault(TimeSpan.Zero, FaultKind.KillNode, 0, TimeSpan.Zero, TimeSpan.Zero), 100)];
        RecordedCall[] calls =
        [
            Read("a", 90, 105), // begun before: says nothing
            Read("a", 110, 140),
            Read("a", 120, 130),
            Read("b", 150, 400),
            Read("b", 160, 410),
            Read("c", 50, 60), // not asked any more
            Read("d", 110, 115) with { Consistency = ReadConsistency.Eventual },
            new("caller", AggregateId.Parse("e"), null, 110, new CallAnswer.Unknown(9_000, "nobody there")),
        ];
        RecoveryTimes.Of(faults, calls, frequency: 100).ShouldBe([(FaultKind.KillNode, TimeSpan.FromSeconds(3))]);
    }

    [Fact]
    public void Table_tells_faults_and_recoveries_by_kind()
    {
        var figures = new ChaosFigures { Runs = 2, Commands = 1_234 };
        var pause = new InjectedFault(new Fault(TimeSpan.Zero, FaultKind.PauseNode, 1, TimeSpan.Zero, TimeSpan.Zero), 0);
        figures.Count([pause, pause]);
        figures.Recovered(FaultKind.PauseNode, TimeSpan.FromSeconds(2.5));
        var latency = new LatencyHistogram();
        latency.Record(TimeSpan.FromMilliseconds(8));
        figures.Took(latency, new LatencyHistogram());
        string[] lines = figures.ToString().Split(Environment.NewLine);
        lines.ShouldContain(l => l.StartsWith("commands ", StringComparison.Ordinal) && l.EndsWith(" 1,234", StringComparison.Ordinal));
        lines.ShouldContain(l => l.StartsWith("command, p50", StringComparison.Ordinal) && l.EndsWith("8.0 / 8.0 / 8.0 ms", StringComparison.Ordinal));
        lines[^2].Split(' ', StringSplitOptions.RemoveEmptyEntries).ShouldBe(["pause-node", "2", "2.50", "s", "2.50", "s", "2.50", "s"]);
        lines[^1].Split(' ', StringSplitOptions.RemoveEmptyEntries).ShouldBe(["all", "2"]);
    }

    [Fact]
    public void Money_that_payments_lost_or_made_is_found()
    {
        HashSet<CommandId> sent = [CommandId.Parse("in")];
        FinalState Purse(string id, params RecordedEvent[] events) => new(AggregateId.Parse(id), events.Length,
            new PurseState { Balance = events.Sum(e => e.Payload is MoneyPutIn put ? put.Amount : -((MoneyTakenOut)e.Payload).Amount), Movements = events.Length, Digest = 0 }, events);
        FinalState Payment(PaymentStatus status, bool rang) => new(AggregateId.Parse("p"), 1, new PaymentState { Status = status, From = "a", To = "b", Amount = 5, Rang = rang }, []);
        string? Wrong(FinalState a, FinalState b, FinalState payment) =>
            PurseApplication.WhatIsWrong(new Dictionary<string, IReadOnlyCollection<FinalState>> { ["purse"] = [a, b], ["payment"] = [payment] }, sent);

        FinalState a = Purse("a", Event("in", new MoneyPutIn { Amount = 9, BalanceAfter = 9 }), Event("take", new MoneyTakenOut { Amount = 5, BalanceAfter = 4 }));
        FinalState b = Purse("b", Event("give", new MoneyPutIn { Amount = 5, BalanceAfter = 5 }));
        Wrong(a, b, Payment(PaymentStatus.Done, rang: true)).ShouldBeNull();
        Wrong(a, b, Payment(PaymentStatus.Done, rang: false)).ShouldNotBeNull().ShouldContain("not come to its end");
        Wrong(a, Purse("b"), Payment(PaymentStatus.Done, rang: true)).ShouldNotBeNull().ShouldContain("4; 9 was paid in");
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
        ChaosServers.ClientId(request).ShouldBe("node-1");
        ChaosServers.ClientId(request.AsSpan(0, 19)).ShouldBeNull();
        ChaosServers.ClientId(request.AsSpan(0, 5)).ShouldBeNull();
        request[12] = request[13] = 0xFF;
        ChaosServers.ClientId(request).ShouldBe("");
    }

    private static RecordedCall Read(string id, long started, long ended) => new("caller", AggregateId.Parse(id), null, started, new CallAnswer.Seen(ended, null));

    private static RecordedEvent Event(string command, object payload) => new()
    {
        AggregateId = AggregateId.Parse("x"), Version = 1, Payload = payload, Partition = 0, Offset = 0, Time = default, CommandId = CommandId.Parse(command),
    };
}
