using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>An event that an operator has discarded: in a node it keeps its version and does nothing.</summary>
public sealed class DiscardedEventTests
{
    private static readonly DateOnly November = new(2026, 11, 1);

    /// <summary>The event was passed over without its version: the next one was a gap, and the streams stood still for good.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Discarded_event_moves_the_version_and_neither_the_state_nor_totals_nor_topics_have_it(bool isReadable)
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).Snapshot(Account.Definition)
            .PerEventType(Account.Definition)
            .Totals("credits", CalendarWindow.Month, "Europe/Prague", totals => totals.Add<AccountCredited>(Account.Definition, credited =>
                new TotalEntry("all", credited.Amount, credited.BookedOn)))
            .Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(5, 5));
        if (isReadable)
        {
            streams.GivenDiscarded(Account.Definition, "a", Noon, Credited(100, 105));
        }
        else
        {
            streams.Discard(Account.Definition, 2);
            streams.Given(Account.Definition, Unreadable("a", version: 3));
            streams.Lost(Account.Definition, "a", Credited(100, 105), Noon);
        }

        StreamSnapshot<AccountState> discarded = streams.SnapshotOf(Account.Definition, "a")!;
        (discarded.Version, discarded.State.Balance, discarded.State.Credits, discarded.Token).ShouldBe(
            (3, 5, 1, new ConsistencyToken(0, 2)));

        streams.Given(Account.Definition, "a", Noon, Credited(2, 7));
        StreamSnapshot<AccountState> next = streams.SnapshotOf(Account.Definition, "a")!;
        (next.Version, next.State.Balance, next.State.Credits).ShouldBe((4, 7, 2));
        RunningTotal total = streams.TotalOf("credits", "all", November)!;
        (total.Count, total.Sum).ShouldBe((2, 7));
        streams.ReadAll("bank-streams.account.account-credited").Select(r =>
            streams.Decode<AccountCredited>(r.Message.Value)!.Amount).ShouldBe([5, 2]);
    }

    [Fact]
    public void First_event_that_is_discarded_leaves_an_aggregate_of_version_one_in_the_initial_state()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Snapshots());
        streams.GivenDiscarded(Account.Definition, "a", Noon, Opened()).Given(Account.Definition, "a", Noon, Credited(1, 1));
        streams.SnapshotOf(Account.Definition, "a")!.Version.ShouldBe(2);
    }

    // What was put aside because it was not due, as a second history of an aggregate, is none of the first.
    [Fact]
    public void Discarded_event_that_is_not_due_and_record_that_is_not_one_change_nothing()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(Snapshots());
        streams.Given(Account.Definition, "a", Noon, Opened());
        streams.Discard(Account.Definition, 1);
        streams.Discard(Account.Definition, 2);
        streams.Given(Account.Definition, Unreadable("a", version: 7));
        streams.Given(Account.Definition, new Message<byte[], byte[]> { Key = [0xff], Value = [1], Headers = [] });
        StreamSnapshot<AccountState> snapshot = streams.Given(Account.Definition, "a", Noon, Credited(1, 1))
            .SnapshotOf(Account.Definition, "a")!;
        (snapshot.Version, snapshot.Token.Offset).ShouldBe((2, 3));
    }

    [Fact]
    public void Mark_behind_a_discarded_event_says_that_its_version_is_in_the_snapshots()
    {
        EventStreamsDefinition definition = Snapshots();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition, tables: null,
            new Dictionary<string, (string Events, string Snapshots)> { ["account-snapshots"] = ("", "") });
        streams.GivenDiscarded(Account.Definition, "a", Noon, Opened());
        streams.ReadAll(definition.SnapshotTopicOf(Account.Definition)).Select(r => Encoding.UTF8.GetString(r.Message.Key))
            .ShouldBe(["a", "\0mark"]);
    }

    [Fact]
    public void Join_has_the_state_before_a_discarded_event_and_goes_on_behind_it()
    {
        EventStreamsDefinition definition = EventStreams.Define("bank-streams").From(Account.Definition).From(Transfer.Definition)
            .Snapshot(Account.Definition).Snapshot(Transfer.Definition)
            .Join("payers", Transfer.Definition, Account.Definition, transfer => transfer.Payer,
                (transfer, payer) => transfer with { Reason = $"{payer?.Balance}" }).Build();
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(definition);
        streams.Given(Transfer.Definition, "t", Noon, new TransferRequested
        {
            Payer = "a", Receiver = "b", Amount = 1, Currency = "CZK", BookedOn = November, Deadline = Noon.AddDays(1),
        });
        streams.Given(Account.Definition, "a", Noon, Opened(), Credited(5, 5))
            .GivenDiscarded(Account.Definition, "a", Noon, Credited(9, 14)).Given(Account.Definition, "a", Noon, Credited(1, 6));
        streams.ReadAll("bank-streams.payers").Select(r => streams.Decode<TransferState>(r.Message.Value)!.Reason).ShouldBe(
            ["", "0", "5", "5", "6"]);
    }

    // Of a schema that no registry has.
    private static Message<byte[], byte[]> Unreadable(string id, long version) => new()
    {
        Key = Encoding.UTF8.GetBytes(id),
        Value = [0, 0, 0, 0x7f, 0x7f, 1],
        Timestamp = new Timestamp(Noon),
        Headers = EventHeaders.Of(Account.Definition, id, version, Noon, CommandId.Parse($"{id}-{version}"), Opened()),
    };
}
