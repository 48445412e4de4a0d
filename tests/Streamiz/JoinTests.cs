using Banking.Domain;
using KafkaEventSourcing.Avro;
using Streamiz.Kafka.Net.Mock;
using static KafkaEventSourcing.Streamiz.Tests.BankStreams;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class JoinTests
{
    private const string Topic = "bank-streams.transfers-with-payers";

    // The result: a transfer whose reason is who pays and what is left; the tests need no type of their own for it.
    private static readonly EventStreamsDefinition Definition = Define();

    private TestInputTopic<string, JoinAnswer>? _answers;

    private static EventStreamsDefinition Define(Func<TransferState, bool>? dropWhen = null) => EventStreams.Define("bank-streams")
        .From(Account.Definition).From(Transfer.Definition).Snapshot(Account.Definition)
        .Snapshot(Transfer.Definition, dropWhen: dropWhen)
        .Join("transfers-with-payers", Transfer.Definition, Account.Definition,
            transfer => transfer.Payer, // empty: none
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

    // What went wrong: a reference that changed stopped the streams, as the one referred to before would have gone on to write results.
    [Fact]
    public void Aggregate_that_comes_to_refer_to_another_one_has_results_with_that_one_alone()
    {
        using EventStreamsTestDriver streams = Accounts();
        streams.Given(Transfer.Definition, "t", Noon, Requested("a"), Requested("b"));
        Results(streams).ShouldBe([("t", "ann 0"), ("t", "bob 0")]);
        streams.Given(Account.Definition, "a", Noon, Credited(1, 1));
        Results(streams).ShouldBeEmpty();
        streams.Given(Account.Definition, "b", Noon, Credited(2, 2));
        Results(streams).ShouldBe([("t", "bob 2")]);
        streams.Given(Transfer.Definition, "t", Noon, Requested("a"));
        Results(streams).ShouldBe([("t", "ann 1")]);
        streams.Given(Account.Definition, "b", Noon, Credited(1, 3)).Given(Account.Definition, "a", Noon, Credited(2, 3));
        Results(streams).ShouldBe([("t", "ann 3")]);
    }

    [Fact]
    public void Answer_that_comes_behind_a_change_of_the_reference_is_dropped()
    {
        using EventStreamsTestDriver streams = Accounts();
        streams.Given(Transfer.Definition, "t", Noon, Requested("a"), Requested("b"));
        Results(streams);
        Answer(streams, "t", 1, "ann", 7);
        Results(streams).ShouldBeEmpty();
        streams.Given(Transfer.Definition, "t", Noon, Requested("a"));
        Results(streams).ShouldBe([("t", "ann 0")]);
        Answer(streams, "t", 1, "ann", 7);
        Answer(streams, "t", 2, "bob", 7);
        Answer(streams, "unknown", 1, "ann", 7);
        Results(streams).ShouldBeEmpty();
        Answer(streams, "t", 3, "ann", 8);
        Results(streams).ShouldBe([("t", "ann 8")]);
    }

    // An aborted transaction takes the message to where the reference was, and the event that comes again does not know of it.
    [Fact]
    public void One_that_was_not_told_that_it_is_not_referred_to_any_more_changes_no_result()
    {
        using EventStreamsTestDriver streams = Accounts();
        streams.Given(Transfer.Definition, "t", Noon, Requested("a"), Requested("b"));
        Input<JoinRequest>(streams, "requests").PipeInput("a", new JoinRequest { Left = "t", Version = 1, Ends = false });
        streams.Given(Account.Definition, "b", Noon, Credited(2, 2));
        Results(streams);
        streams.Given(Account.Definition, "a", Noon, Credited(1, 1));
        Results(streams).ShouldBeEmpty();
        streams.GivenAgain(Transfer.Definition, "t", 1);
        Results(streams).ShouldBe([("t", "bob 2")]);
    }

    [Fact]
    public void Request_that_ended_is_not_taken_up_again_by_an_older_end()
    {
        using EventStreamsTestDriver streams = Accounts();
        streams.Given(Transfer.Definition, "t", Noon, Requested("a"), Requested("b"), Requested("a"));
        Results(streams);
        Input<JoinRequest>(streams, "requests").PipeInput("a", new JoinRequest { Left = "t", Version = 2, Ends = true });
        Results(streams).ShouldBe([("t", "ann 0")]); // written again: the end came again, and the newer request counts
        streams.Given(Account.Definition, "a", Noon, Credited(1, 1));
        Results(streams).ShouldBe([("t", "ann 1")]);
    }

    [Fact]
    public void Aggregate_that_refers_to_none_any_more_has_its_result_deleted_and_again_when_its_event_comes_again()
    {
        using EventStreamsTestDriver streams = Accounts();
        streams.Given(Transfer.Definition, "u", Noon, Requested("")).Given(Transfer.Definition, "t", Noon, Requested("a"), Requested(""));
        Results(streams).ShouldBe([("t", "ann 0"), ("t", null)]);
        streams.Given(Account.Definition, "a", Noon, Credited(1, 1));
        Answer(streams, "t", 1, "ann", 7);
        Results(streams).ShouldBeEmpty();
        streams.GivenAgain(Transfer.Definition, "t", 2);
        Results(streams).ShouldBe([("t", null)]);
        streams.Given(Transfer.Definition, "t", Noon, Requested("b"));
        Results(streams).ShouldBe([("t", "bob 0")]);
    }

    [Fact]
    public void Aggregate_that_is_dropped_has_its_result_deleted_for_good()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(
            Define(transfer => transfer.Status == TransferStatus.Completed));
        streams.Given(Account.Definition, "a", Noon, Opened())
            .Given(Transfer.Definition, "t", Noon, Requested(), new TransferCompleted());
        Results(streams).ShouldBe([("t", "ann 0"), ("t", null)]);
        streams.Given(Account.Definition, "a", Noon, Credited(1, 1));
        Answer(streams, "t", 1, "ann", 7);
        Results(streams).ShouldBeEmpty();
        streams.MarkDropped(Transfer.Definition, 1_000);
        streams.GivenAgain(Transfer.Definition, "t", 2);
        Results(streams).ShouldBe([("t", null)]);
    }

    [Fact]
    public void Aggregates_are_joined_with_others_of_their_own_type()
    {
        using EventStreamsTestDriver streams = EventStreamsTestDriver.Start(EventStreams.Define("bank-streams")
            .From(Account.Definition).Snapshot(Account.Definition)
            .Join("transfers-with-payers", Account.Definition, Account.Definition, account => account.Owner,
                (account, owner) => Transfer.Definition.InitialState with { Payer = account.Owner, Reason = $"{owner?.Balance}" })
            .Build());
        streams.Given(Account.Definition, "x", Noon, Opened("y"));
        Results(streams).ShouldBe([("x", "")]);
        streams.Given(Account.Definition, "y", Noon, Opened("x"), Credited(5, 5));
        Results(streams).ShouldBe([("x", "0"), ("y", "0"), ("x", "5"), ("y", "0")], ignoreOrder: true); // of each its own in order
        streams.Given(Account.Definition, "x", Noon, Credited(7, 7));
        Results(streams).ShouldBe([("y", "7"), ("x", "5")], ignoreOrder: true);
    }

    private static EventStreamsTestDriver Accounts() => EventStreamsTestDriver.Start(Definition)
        .Given(Account.Definition, "a", Noon, Opened()).Given(Account.Definition, "b", Noon, Opened("bob"));

    // An answer as one that is late.
    private void Answer(EventStreamsTestDriver streams, string left, long version, string owner, long balance)
    {
        AccountState state = Account.Definition.InitialState with { Owner = owner, Balance = balance };
        (_answers ??= Input<JoinAnswer>(streams, "responses")).PipeInput(left, new JoinAnswer
        {
            Version = version,
            State = EncodedBytes.Of(null, state, static (AccountState value, ref AvroWriter writer) => value.WriteTo(ref writer)),
        });
    }

    private static TestInputTopic<string, T> Input<T>(EventStreamsTestDriver streams, string step)
        where T : class, IAvroRecord<T> => streams.Driver.CreateInputTopic(
            $"bank-streams-transfers-with-payers-{step}-repartition", KeySerDes.Instance, streams.SerDesOf<T>());

    private static TransferRequested Requested(string payer = "a") => new()
    {
        Payer = payer, Receiver = "b", Amount = 1, Currency = "CZK", BookedOn = new DateOnly(2026, 11, 2), Deadline = Noon.AddDays(1),
    };

    private static IEnumerable<(string Key, TransferState? Value)> Read(EventStreamsTestDriver streams) =>
        streams.ReadAll(Topic).Select(r => (System.Text.Encoding.UTF8.GetString(r.Message.Key),
            streams.Decode<TransferState>(r.Message.Value)));

    private static (string, string?)[] Results(EventStreamsTestDriver streams) => [.. Read(streams).Select(r => (r.Key, r.Value?.Reason))];
}
