using Banking.Domain;
using Confluent.Kafka;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class JoinTests
{
    private const string Topic = "bank-streams.transfers-with-payers";

    // The result: a transfer whose reason is who pays and what is left; the tests need no type of their own for it.
    private static readonly EventStreamsDefinition Definition = EventStreams.Define("bank-streams")
        .From(Account.Definition).From(Transfer.Definition).Snapshot(Account.Definition).Snapshot(Transfer.Definition)
        .Join("transfers-with-payers", Transfer.Definition, Account.Definition,
            transfer => transfer.Payer.Length > 0 ? transfer.Payer : null,
            (transfer, payer) => transfer with { Reason = payer is null ? "nobody" : $"{payer.Owner} {payer.Balance}" })
        .Build();

    [Fact]
    public void Result_is_written_when_either_side_changes()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition);
        streams.Given(Transfer.Definition, "t", Noon, Requested());
        Results(streams).ShouldBe([("t", "nobody")]);
        streams.Given(Account.Definition, "a", Noon, Opened());
        Results(streams).ShouldBe([("t", "ann 0")]);
        streams.Given(Account.Definition, "b", Noon, Opened("bob")).Given(Account.Definition, "a", Noon, Credited(5, 5));
        Results(streams).ShouldBe([("t", "ann 5")]);
        streams.Given(Transfer.Definition, "u", Noon, Requested()).Given(Transfer.Definition, "t", Noon, new TransferCompleted());
        Results(streams).ShouldBe([("u", "ann 5"), ("t", "ann 5")]);
        streams.Given(Account.Definition, "a", Noon, Credited(1, 6));
        Results(streams).ShouldBe([("t", "ann 6"), ("u", "ann 6")]);
    }

    [Fact]
    public void Event_of_either_side_that_comes_again_writes_the_newest_result_again()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Definition);
        streams.Given(Transfer.Definition, "t", Noon, Requested(), new TransferCompleted())
            .Given(Account.Definition, "a", Noon, Opened(), Credited(5, 5));
        Results(streams);
        streams.GivenAgain(Transfer.Definition, "t", 1);
        streams.GivenAgain(Account.Definition, "a", 1);
        Read(streams).ShouldAllBe(t => t.Value!.Status == TransferStatus.Completed && t.Value.Reason == "ann 5");
    }

    [Fact]
    public void Join_without_the_snapshots_of_a_side_is_refused() =>
        Should.Throw<InvalidOperationException>(() => EventStreams.Define("s").From(Account.Definition).From(Transfer.Definition)
            .Snapshot(Account.Definition).Join("j", Transfer.Definition, Account.Definition, t => t.Payer, (t, _) => t))
            .Message.ShouldContain("needs the snapshots of 'transfer'");

    private static TransferRequested Requested() => new()
    {
        Payer = "a", Receiver = "b", Amount = 1, Currency = "CZK", BookedOn = new DateOnly(2026, 11, 2), Deadline = Noon.AddDays(1),
    };

    private static IEnumerable<(string Key, TransferState? Value)> Read(EventStreamsTestDriver streams) =>
        streams.ReadAll(Topic).Select(r => (System.Text.Encoding.UTF8.GetString(r.Message.Key),
            streams.Decode<TransferState>(r.Message.Value)));

    private static (string, string?)[] Results(EventStreamsTestDriver streams) => [.. Read(streams).Select(r => (r.Key, r.Value?.Reason))];
}
