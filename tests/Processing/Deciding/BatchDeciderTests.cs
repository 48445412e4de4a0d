using Counting;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class BatchDeciderTests : IClassFixture<ProcessingFixture>, IDisposable
{
    private const int Partition = 3;

    private readonly ProcessingFixture _fixture;
    private readonly TemporaryFolder _folder = new();
    private readonly StateStore _store;
    private readonly ParkedAggregates _parked = new(new TopicFamily("app", "counter"), Partition, TimeProvider.System);
    private readonly BatchDecider _decider;

    public BatchDeciderTests(ProcessingFixture fixture)
    {
        _fixture = fixture;
        _store = Counter.Open(_folder.Child("store"));
        _decider = Decider();
    }

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Commands_of_one_batch_see_what_was_decided_before_them()
    {
        Decide(100, ("a", "c1", new Add { By = 5 }, null), ("b", "c2", new Add { By = 1 }, null), ("a", "c3", new Add { By = -5 }, null),
            ("a", "c4", new Add { By = -1 }, null));
        Outcomes().ShouldBe(["c1 Accepted 1 3@100", "c2 Accepted 1 3@101", "c3 Accepted 2 3@102", "c4 Rejected 2 -1@-1"]);
        CommandReply rejected = _decider.Replies(Partition)[3].Reply;
        rejected.Code.ShouldBe("below-zero");
        rejected.Details.ShouldBe(new Dictionary<string, string> { ["total"] = "0", ["by"] = "-1" });
        _decider.Events.Select(e => (e.Aggregate.Id.Value, e.Version, e.Index)).ShouldBe([("a", 1L, 0), ("b", 1L, 1), ("a", 2L, 2)]);
    }

    [Fact]
    public void Expected_version_is_checked_against_the_batch_and_a_conflict_tells_the_current_version()
    {
        Decide(0, ("a", "c1", new Add { By = 1 }, "new"), ("a", "c2", new Add { By = 1 }, "new"), ("a", "c3", new Add { By = 1 }, "1"),
            ("a", "c4", new Add { By = 1 }, "1"), ("b", "c5", new Add { By = 1 }, "exists"));
        Outcomes().ShouldBe(["c1 Accepted 1 3@0", "c2 Conflict 1 -1@-1", "c3 Accepted 2 3@1", "c4 Conflict 2 -1@-1",
            "c5 Conflict 0 -1@-1"]);
        _decider.Replies(Partition)[3].Reply.ExpectedVersion.ShouldBe("1");
        _decider.Replies(Partition)[4].Reply.ExpectedVersion.ShouldBe("exists");
    }

    // A batch was bounded by its commands alone: 2,000 small ones that make large events, or of large aggregates, were all in memory at
    // once.
    [Fact]
    public void Bytes_are_those_of_events_answers_and_aggregates_and_a_new_batch_has_none()
    {
        Decide(0, ("a", "c1", new Add { By = 1 }, null));
        _decider.Bytes.ShouldBe(_decider.Events[0].Value.Length); // there is no state yet
        _decider.Apply(2);
        long state = _decider.Events[0].Aggregate.StateMemory;
        state.ShouldBeGreaterThan(0);
        Decide(2, ("a", "c2", new Add { By = 1, Times = 500 }, null), ("a", "c3", new Add { By = 1, Times = 500 }, null));
        _decider.Bytes.ShouldBe(state + _decider.Events.Sum(e => (long)e.Value.Length));
        Decide(2, ("a", "c4", new Add { By = -5 }, null));
        Explanation refusal = _decider.Answers[0].Outcome.Explanation.ShouldNotBeNull();
        _decider.Bytes.ShouldBe(state + refusal.Bytes);
        refusal.Bytes.ShouldBeGreaterThan(refusal.Message!.Length * sizeof(char));
        _decider.Begin(0);
        _decider.Bytes.ShouldBe(0);
    }

    [Fact]
    public void Same_command_id_twice_in_a_batch_has_one_effect_and_the_first_outcome_twice()
    {
        Decide(10, ("a", "c1", new Add { By = 1 }, null), ("a", "c2", new Add { By = 1 }, null), ("a", "c1", new Add { By = 1 }, null));
        _decider.Events.Count.ShouldBe(2);
        CommandReply first = _decider.Replies(Partition)[0].Reply;
        first.Duplicate.ShouldBeFalse();
        _decider.Replies(Partition)[2].Reply.ShouldBe(first with { Duplicate = true });
    }

    [Fact]
    public void Same_command_id_in_a_later_batch_and_after_a_restart_has_the_first_outcome()
    {
        Decide(10, ("a", "c1", new Add { By = 1, Times = 2 }, null), ("a", "r1", new Add { By = -9 }, null),
            ("a", "x1", new Add { By = 1 }, "7"));
        CommandReply[] first = [.. _decider.Replies(Partition).Select(r => r.Reply)];
        _decider.Apply(13);

        foreach (BatchDecider later in (BatchDecider[])[_decider, Decider()])
        {
            later.Begin(13);
            foreach ((string id, int by, int times, string? expected) in (ReadOnlySpan<(string, int, int, string?)>)[("c1", 1, 2, null),
                ("r1", -9, 1, null), ("x1", 1, 1, "7")])
                later.Decide(_fixture.Command("a", id, new Add { By = by, Times = times }, expected));
            later.Events.ShouldBeEmpty();
            later.Replies(Partition).Select(r => r.Reply).ShouldBe(first.Select(f => f with { Duplicate = true }));
        }
    }

    // It was answered with the first outcome, and the new command was dropped.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Same_command_id_with_another_command_is_refused_and_tells_what_differs(bool inALaterBatch)
    {
        Decide(10, ("a", "c1", new Add { By = 1 }, "new"), ("a", "r1", new Add { By = -9 }, null));
        if (inALaterBatch)
        {
            _decider.Apply(12);
            _decider.Begin(12);
        }

        int events = _decider.Events.Count;
        foreach ((string id, Avro.IAvroRecord payload, string? expected,
            string differs) in (ReadOnlySpan<(string, Avro.IAvroRecord, string?, string)>)
            [("c1", new Add { By = 2 }, "new", "body"), ("c1", new Fail(), "new", "type"),
                ("c1", new Add { By = 1 }, null, "expected version"), ("c1", new Add { By = 2 }, "1", "body, expected version"),
                ("r1", new Add { By = 9 }, null, "body")])
        {
            _decider.Decide(_fixture.Command("a", id, payload, expected));
            CommandReply reply = _decider.Replies(Partition)[^1].Reply;
            (reply.CommandId, reply.Outcome, reply.Code, reply.Version, reply.Duplicate).ShouldBe(
                (id, ReplyOutcome.Rejected, Rejection.CommandIdReused, 1, false));
            reply.Details.ShouldBe(new Dictionary<string, string> { ["differs"] = differs });
        }

        _decider.Decide(_fixture.Command("a", "c1", new Add { By = 1 }, "new"));
        _decider.Replies(Partition)[^1].Reply.ShouldBe(new CommandReply
        {
            CommandId = "c1",
            AggregateId = "a",
            Outcome = ReplyOutcome.Accepted,
            Version = 1,
            EventPartition = Partition,
            EventOffset = 10,
            Duplicate = true,
        });
        _decider.Events.Count.ShouldBe(events);
    }

    [Fact]
    public void Outcome_that_was_remembered_before_there_were_digests_is_told_to_whoever_asks()
    {
        AggregateEntry entry = new(AggregateId.Parse("a"), Counter.Definition.InitialState);
        _store.PutOutcome(entry, new RememberedOutcome("old", new CommandOutcome(OutcomeKind.Accepted, 1, 3), default));
        _store.PutState(entry);
        _store.Write(4);
        Decide(4, ("a", "old", new Add { By = 7 }, null));
        Outcomes().ShouldBe(["old Accepted 1 3@3"]);
    }

    [Fact]
    public void Same_command_id_of_two_aggregates_is_two_commands()
    {
        Decide(0, ("a", "c1", new Add { By = 1 }, null), ("b", "c1", new Add { By = 1 }, null));
        Outcomes().ShouldBe(["c1 Accepted 1 3@0", "c1 Accepted 1 3@1"]);
    }

    [Fact]
    public void Decision_that_throws_is_an_answer_and_is_not_remembered()
    {
        Decide(0, ("a", "c1", new Fail(), null), ("a", "c1", new Add { By = 1 }, null));
        Outcomes().ShouldBe(["c1 Faulted 0 -1@-1", "c1 Accepted 1 3@0"]);
        CommandReply fault = _decider.Replies(Partition)[0].Reply;
        fault.Code.ShouldBe("decide-failed");
        fault.Message!.ShouldContain("out of order");
    }

    [Fact]
    public void Bad_record_is_answered_and_the_others_go_on()
    {
        _decider.Begin(0);
        _decider.Decide(_fixture.Read("a"u8.ToArray(), [1, 2, 3]));
        _decider.Decide(_fixture.Command("b", "c1", new Add { By = 1 }));
        _decider.Replies(Partition)[0].Reply.Outcome.ShouldBe(ReplyOutcome.Parked);
        _decider.Replies(Partition)[0].Reply.Code.ShouldBe(CommandRecord.NotAvro);
        _decider.Replies(Partition)[1].Reply.Outcome.ShouldBe(ReplyOutcome.Accepted);
    }

    [Fact]
    public void Dropped_batch_leaves_nothing_behind_and_is_decided_alike_at_another_offset()
    {
        Decide(100, ("a", "c1", new Add { By = 5 }, "new"));
        Decide(200, ("a", "c1", new Add { By = 5 }, "new"));
        Outcomes().ShouldBe(["c1 Accepted 1 3@200"]);
        _decider.Apply(202);
        _store.OffsetOf(AggregateId.Parse("a"), 1).ShouldBe(200);
    }

    [Fact]
    public void Predicted_offsets_are_those_of_the_replies_the_index_and_the_state()
    {
        Decide(100, ("a", "c1", new Add { By = 5, Times = 2 }, null), ("b", "c2", new Add { By = 1 }, null),
            ("a", "c3", new Add { By = 1 }, null));
        Outcomes().ShouldBe(["c1 Accepted 2 3@101", "c2 Accepted 1 3@102", "c3 Accepted 3 3@103"]);
        _decider.Apply(105);
        _store.Checkpoint.ShouldBe(105);
        AggregateId a = AggregateId.Parse("a");
        Enumerable.Range(1, 3).Select(v => _store.OffsetOf(a, v)).ShouldBe([100, 101, 103]);
        _store.Read(a, Partition).ShouldBe(new AggregateView(a, 3, new Count { Total = 11 }, new ConsistencyToken(Partition, 103)));
    }

    [Fact]
    public void Command_that_is_fulfilled_already_is_accepted_at_the_last_event()
    {
        Decide(0, ("a", "c1", new Add { By = 1 }, null), ("a", "c2", new Add { By = 1, Times = 0 }, null),
            ("b", "c3", new Add { By = 0, Times = 0 }, null));
        Outcomes().ShouldBe(["c1 Accepted 1 3@0", "c2 Accepted 1 3@0", "c3 Accepted 0 -1@-1"]);
    }

    [Fact]
    public void Event_that_is_too_large_is_an_answer_and_leaves_no_part_of_its_decision()
    {
        BatchDecider decider = Decider(maxEventBytes: 6);
        decider.Begin(0);
        decider.Decide(_fixture.Command("a", "c1", new Add { By = 1, Times = 2 }));
        decider.Decide(_fixture.Command("a", "c2", new Add { By = 1_000_000, Times = 2 }));
        decider.Decide(_fixture.Command("a", "c3", new Add { By = 1 }));
        decider.Replies(Partition).Select(r => (r.Reply.Outcome, r.Reply.Version, r.Reply.Code)).ShouldBe(
            [(ReplyOutcome.Accepted, 2, null), (ReplyOutcome.Faulted, 2, "event-too-large"), (ReplyOutcome.Accepted, 3, null)]);
        decider.Events.Select(e => (e.Version, e.Index)).ShouldBe([(1L, 0), (2L, 1), (3L, 2)]);
    }

    private BatchDecider Decider(int maxEventBytes = 1_000) =>
        new(Counter.Definition, Partition, _store, new AggregateCache(_store, Counter.Definition, 1_000_000), _fixture.Encoder,
            maxEventBytes, _parked, _fixture.Outbox(Counter.Definition));

    private void Decide(long nextOffset, params (string Aggregate, string Command, Avro.IAvroRecord Payload, string? Expected)[] commands)
    {
        _decider.Begin(nextOffset);
        foreach ((string aggregate, string command, Avro.IAvroRecord payload, string? expected) in commands)
            _decider.Decide(_fixture.Command(aggregate, command, payload, expected));
    }

    private IEnumerable<string> Outcomes() =>
        _decider.Replies(Partition).Select(r =>
            $"{r.Reply.CommandId} {r.Reply.Outcome} {r.Reply.Version} {r.Reply.EventPartition}@{r.Reply.EventOffset}");
}
