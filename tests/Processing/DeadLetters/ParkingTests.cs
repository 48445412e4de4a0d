using System.Text;
using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class ParkingTests : IClassFixture<ProcessingFixture>, IDisposable
{
    private static readonly TopicFamily Topics = new("app", "counter");
    private static readonly DeadLetterRequest Retry = new(IsDiscard: false, null, "Ada", null);
    private static readonly DeadLetterRequest Discard = new(IsDiscard: true, null, "Ada", "sent by mistake");

    private readonly ProcessingFixture _fixture;
    private readonly TemporaryFolder _folder = new();
    private readonly StateStore _store;
    private readonly ParkedAggregates _parked = new(Topics, ProcessingFixture.Partition, TimeProvider.System);
    private readonly BatchDecider _decider;

    public ParkingTests(ProcessingFixture fixture)
    {
        _fixture = fixture;
        _store = Counter.Open(_folder.Child("store"));
        _decider = new BatchDecider(Counter.Definition, ProcessingFixture.Partition, _store,
            new AggregateCache(_store, Counter.Definition, 1_000_000), fixture.Encoder, 1_000, _parked, fixture.Outbox(Counter.Definition));
    }

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Record_that_cannot_be_read_parks_its_aggregate_and_later_ones_queue_behind_it()
    {
        Decide(Bad("a"), Good("a", "c1"), Good("b", "c2"), Bad("a"));
        Outcomes().ShouldBe(["a Parked not-avro", "a Parked not-avro", "b Accepted ", "a Parked not-avro"]);
        Kinds().ShouldBe(["a parked not-avro", "a queued queued", "a parked not-avro"]);
        _parked.Count.ShouldBe(0); // nothing before the commit

        _decider.Apply(2);
        (_parked.Count, _parked.Records).ShouldBe((1, 3));
        Decide(Good("a", "c3"));
        Outcomes().ShouldBe(["a Parked not-avro"]);
        Kinds().ShouldBe(["a queued queued"]);
    }

    [Fact]
    public void Dropped_batch_parks_nothing()
    {
        Decide(Bad("a"));
        Decide(Good("a", "c1"));
        Outcomes().ShouldBe(["a Accepted "]);
        _decider.DeadLetters.ShouldBeEmpty();
    }

    [Fact]
    public void Command_that_faults_parks_nothing()
    {
        Decide(_fixture.Command("a", "c1", new Fail()), Good("a", "c2"));
        Outcomes().ShouldBe(["a Faulted decide-failed", "a Accepted "]);
        _decider.DeadLetters.ShouldBeEmpty();
    }

    [Fact]
    public void Direct_command_to_a_parked_aggregate_is_told_and_not_taken()
    {
        Decide(Bad("a"), Direct("a", "c1"));
        CommandReply told = _decider.Replies()[1].Reply;
        (told.Outcome, told.Code).ShouldBe((ReplyOutcome.Parked, "not-avro"));
        told.Details[CommandReplies.Queued].ShouldBe("False");
        told.Message!.ShouldContain("was not taken");
        told.Message!.ShouldContain("kes dead-letters list app.counter");
        _decider.DeadLetters.Count.ShouldBe(1);
        _decider.Apply(0);
        _parked.Records.ShouldBe(1);
    }

    [Fact]
    public void Outcome_that_is_known_is_told_by_a_parked_aggregate_too()
    {
        Decide(Good("a", "c1"), Bad("a"), Good("a", "c1"), Direct("a", "c1"));
        _decider.Replies().Skip(2).Select(r => (r.Reply.Outcome, r.Reply.Duplicate)).ShouldBe(
            [(ReplyOutcome.Accepted, true), (ReplyOutcome.Accepted, true)]);
        _decider.DeadLetters.Count.ShouldBe(1);
    }

    [Fact]
    public void Record_without_usable_key_stands_alone()
    {
        Decide(_fixture.Read(null, _fixture.Encode(new Add { By = 1 })), _fixture.Read([0xff, 0xfe], [1]), Good("a", "c1"));
        Outcomes().Skip(2).ShouldBe(["a Accepted "]);
        _decider.Replies()[0].Reply.Outcome.ShouldBe(ReplyOutcome.Faulted);
        _decider.DeadLetters.Select(l => l.Key).ShouldBe([null, [0xff, 0xfe]]);
        _decider.Apply(2);
        (_parked.Count, _parked.Records).ShouldBe((0, 2));
    }

    [Fact]
    public void Letters_are_decided_again_in_order_until_one_fails()
    {
        Park(Bad("a"));
        _decider.Begin(0);
        _decider.DecideAgain(Good("a", "c1"), 7, Retry).ShouldBeTrue();
        _decider.DecideAgain(_fixture.Command("a", "c2", new Add { By = -9 }), 8, Retry).ShouldBeTrue(); // a rejection is an outcome
        _decider.DecideAgain(Good("a", "c1"), 9, Retry).ShouldBeTrue();
        _decider.DecideAgain(_fixture.Command("a", "c3", new Fail()), 10, Retry).ShouldBeFalse();
        _decider.Replies().Select(r => (r.Reply.Outcome, r.Reply.Version, r.Reply.Duplicate)).ShouldBe(
            [(ReplyOutcome.Accepted, 1, false), (ReplyOutcome.Rejected, 1, false), (ReplyOutcome.Accepted, 1, true)]);
        _decider.LastRefusal.ShouldContain("out of order");
        Kinds().ShouldBe(["a retried Accepted", "a retried Rejected", "a retried Accepted", "a refused decide-failed"]);
    }

    [Fact]
    public void Discarded_letter_is_answered_and_says_who_and_why()
    {
        Park(Bad("a"));
        _decider.Begin(0);
        _decider.Discard(Bad("a"), 7, Discard).ShouldBeTrue();
        CommandReply told = _decider.Replies().ShouldHaveSingleItem().Reply;
        (told.Outcome, told.Code).ShouldBe((ReplyOutcome.Faulted, "discarded"));
        told.Message.ShouldBe("The command was parked and then discarded by Ada: sent by mistake");
        Kinds().ShouldBe(["a discarded sent by mistake"]);
    }

    [Fact]
    public void Letter_has_the_original_byte_for_byte_whatever_its_headers_are_named()
    {
        var headers = new Headers
        {
            { "kes_deadletter", "retried"u8.ToArray() },
            { "kes_originoffset", null },
            { "x", [0xff, 0] },
            { "x", [] },
        };
        IncomingCommand bad = _fixture.Read("a"u8.ToArray(), [9, 8, 7], headers);
        Decide(bad);
        ConsumeResult<byte[], byte[]> original = DeadLetterFormat.OriginalOf(Stored(_decider.DeadLetters[0], 5));
        original.TopicPartitionOffset.ShouldBe(bad.Record!.TopicPartitionOffset);
        original.Message.Timestamp.UnixTimestampMs.ShouldBe(bad.Record.Message.Timestamp.UnixTimestampMs);
        original.Message.Key.ShouldBe("a"u8.ToArray());
        original.Message.Value.ShouldBe([9, 8, 7]);
        original.Message.Headers.Select(h => (h.Key, h.GetValueBytes())).ShouldBe(headers.Select(h => (h.Key, h.GetValueBytes())));
    }

    [Fact]
    public void Request_of_an_operator_is_read_and_a_wrong_one_is_told()
    {
        Message<byte[]?, byte[]?> asked = Discard.ToMessage(AggregateId.Parse("a"), CommandId.Parse("r1"), "2/cli");
        IncomingCommand read = _fixture.Read(asked.Key, null, asked.Headers);
        (read.Request, read.AggregateId.Value, read.CommandId.Value, read.ReplyPartition, read.Fault).ShouldBe(
            (Discard, "a", "r1", 2, null));

        IncomingCommand wrong = _fixture.Read("a"u8.ToArray(), null, new Headers { { "kes_deadletters", "discard"u8.ToArray() } });
        wrong.Request.ShouldNotBeNull();
        wrong.Fault!.Value.Message.ShouldContain("nothing is discarded without a reason");
    }

    private IncomingCommand Bad(string aggregate) => _fixture.Read(Encoding.UTF8.GetBytes(aggregate), [1, 2, 3]);

    private IncomingCommand Good(string aggregate, string id) => _fixture.Command(aggregate, id, new Add { By = 1 });

    private static IncomingCommand Direct(string aggregate, string id) =>
        IncomingCommand.From(new CommandEnvelope(AggregateId.Parse(aggregate), CommandId.Parse(id), new Add { By = 1 }),
            ProcessingFixture.RecordTime, default);

    private void Park(IncomingCommand command)
    {
        Decide(command);
        _decider.Apply(0);
    }

    private void Decide(params IncomingCommand[] commands)
    {
        _decider.Begin(0);
        foreach (IncomingCommand command in commands)
            _decider.Decide(command);
    }

    private IEnumerable<string> Outcomes() => _decider.Replies().Select(r => $"{r.Reply.AggregateId} {r.Reply.Outcome} {r.Reply.Code}");

    private IEnumerable<string> Kinds() => _decider.DeadLetters.Select(l =>
    {
        string Header(string name) => Encoding.UTF8.GetString(CloudEventHeaders.Find(l.Headers, name) ?? []);
        string kind = Header(DeadLetterFormat.EntryHeader);
        string header = kind switch
        {
            "retried" => DeadLetterFormat.OutcomeHeader,
            "discarded" => DeadLetterFormat.ReasonHeader,
            _ => DeadLetterFormat.CauseHeader,
        };
        return $"{Encoding.UTF8.GetString(l.Key)} {kind} {Header(header)}";
    });

    private static ConsumeResult<byte[], byte[]> Stored(Message<byte[], byte[]> message, long offset) =>
        new()
        {
            TopicPartitionOffset = new TopicPartitionOffset(Topics.DeadLetters, ProcessingFixture.Partition, offset),
            Message = message,
        };
}
