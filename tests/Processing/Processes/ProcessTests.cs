using System.Text;
using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class ProcessTests : IClassFixture<ProcessingFixture>, IDisposable
{
    private static readonly DateTimeOffset Due = ProcessingFixture.RecordTime.AddHours(1);
    private static readonly TimerKey Again = new(AggregateId.Parse("p"), "again");

    private readonly ProcessingFixture _fixture;
    private readonly TemporaryFolder _folder = new();
    private readonly ManualClock _clock = new(ProcessingFixture.RecordTime);
    private readonly StateStore _store;
    private readonly ProcessTimers _timers;
    private readonly ProcessEffects _outbox;
    private readonly BatchDecider _decider;
    private int _woken;

    public ProcessTests(ProcessingFixture fixture)
    {
        _fixture = fixture;
        _store = Counter.Open(_folder.Child("store"));
        _timers = new ProcessTimers(_clock, () => _woken++);
        _outbox = fixture.Outbox(Counter.Process, _timers);
        _decider = new BatchDecider(Counter.Process, ProcessingFixture.Partition, _store,
            new AggregateCache(_store, Counter.Process, 1_000_000), fixture.Encoder, 1_000,
            new ParkedAggregates(new TopicFamily("app", "relay"), ProcessingFixture.Partition, TimeProvider.System), _outbox);
    }

    public void Dispose()
    {
        _timers.Dispose();
        _store.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Event_sends_its_commands_with_the_state_after_it_and_says_who_is_told()
    {
        Decide(Direct("c1", new Forward { By = 5 }), Direct("c2", new Forward { By = 2 }));
        Sent("app.counter.commands").ShouldBe(["x <- Add 5, told relay/first/p", "y <- Add 5, told relay/second/p",
            "x <- Add 2, told relay/first/p", "y <- Add 7, told relay/second/p"]);
        string[] ids = Ids();
        ids.Distinct().Count().ShouldBe(4);
        ids.ShouldAllBe(id => Guid.Parse(id).Version == 8);

        Decide(Direct("c1", new Forward { By = 5 }), Direct("c2", new Forward { By = 2 })); // the batch was aborted
        Ids().ShouldBe(ids);
    }

    [Fact]
    public void Timer_is_set_at_the_commit_fires_once_and_ends_with_its_decision()
    {
        Decide(Direct("c1", new Forward { By = 5 }));
        _timers.Count.ShouldBe(0);
        _decider.Apply(2);
        _timers.DueOf(Again).ShouldBe(Due);
        _clock.Advance(TimeSpan.FromMinutes(59));
        (_woken, _timers.TakeDue(10).Count).ShouldBe((0, 0));
        _clock.Advance(TimeSpan.FromMinutes(2));
        _woken.ShouldBe(1);
        _timers.TakeDue(10).ShouldBe([(Again, Due)]);
        _timers.TakeDue(10).ShouldBeEmpty();

        Decide(Elapsed());
        _decider.Events.Count.ShouldBe(1);
        _decider.Apply(4);
        _timers.DueOf(Again).ShouldBe(Due.AddHours(1)); // it reacts by setting the timer again, and that stands
        _timers.TakeDue(10).ShouldBeEmpty();
    }

    [Fact]
    public void Timer_that_an_earlier_command_of_the_batch_cancelled_is_not_decided()
    {
        Decide(Direct("c1", new Forward { By = 5 }));
        _decider.Apply(2);
        Decide(Direct("a1", new CommandCompleted("first", CommandResultKind.Rejected)), Elapsed());
        _decider.Events.Count.ShouldBe(1);
        _outbox.Records.ShouldHaveSingleItem().Message.Value.ShouldBeNull();
        _decider.Apply(4);
        _timers.Count.ShouldBe(0);
    }

    [Fact]
    public void Timer_whose_decision_fails_is_tried_again_later()
    {
        Decide(Direct("c1", new Forward { By = -5 }));
        _decider.Apply(2);
        _clock.Advance(TimeSpan.FromHours(2));
        _timers.TakeDue(10).Count.ShouldBe(1);
        Decide(Elapsed());
        _decider.Replies().ShouldHaveSingleItem().Reply.Outcome.ShouldBe(ReplyOutcome.Faulted);
        _decider.Apply(2);
        _timers.DueOf(Again)!.Value.ShouldBeGreaterThan(Due);
    }

    [Fact]
    public void Command_that_nobody_decides_faults_and_leaves_no_part_of_its_decision()
    {
        Decide(Direct("c1", new Forward { By = 99 }), Direct("c2", new Forward { By = 1 }));
        _decider.Replies()[0].Reply.Code.ShouldBe("unknown-command");
        _decider.Events.Select(e => e.Version).ShouldBe([1L]);
        Sent("app.counter.commands").Count.ShouldBe(2);
    }

    [Fact]
    public void Outcome_of_a_sent_command_is_told_to_the_process_but_that_it_is_parked_is_not()
    {
        ProcessEffects outbox = _fixture.Outbox(Counter.Definition);
        var decider = new BatchDecider(Counter.Definition, ProcessingFixture.Partition, _store,
            new AggregateCache(_store, Counter.Definition, 1_000_000), _fixture.Encoder, 1_000,
            new ParkedAggregates(new TopicFamily("app", "counter"), ProcessingFixture.Partition, TimeProvider.System), outbox);
        decider.Begin(0);
        decider.Decide(FromProcess("x", new Add { By = 1 }, "s1", "relay/first/p"));
        decider.Decide(FromProcess("x", new Add { By = -9 }, "s2", "relay/second/p"));
        decider.Decide(FromProcess("x", new Add { By = 1 }, "s1", "relay/first/p"));
        decider.Decide(_fixture.Read("x"u8.ToArray(), [1]));
        decider.Decide(FromProcess("x", new Add { By = 1 }, "s3", "relay/third/p"));
        decider.Decide(FromProcess("z", new Add { By = 1 }, "s4", "nobody/first/p"));

        CommandAnswered[] answers = [.. outbox.Records.Select(r => (CommandAnswered)_fixture.Decode(r.Message.Value))];
        answers.Select(a => (a.Step, a.CommandId, a.Outcome, a.Code)).ShouldBe([("first", "s1", ReplyOutcome.Accepted, null),
            ("second", "s2", ReplyOutcome.Rejected, "below-zero"), ("first", "s1", ReplyOutcome.Accepted, null)]);
        outbox.Records.ShouldAllBe(r => r.Target.Topic == "app.relay.commands" && Encoding.UTF8.GetString(r.Message.Key) == "p");
        string[] ids = [.. outbox.Records.Select(r => Header(r.Message, CloudEventHeaders.Id))];
        ids[0].ShouldBe(ids[2]); // told again it is the same answer
        ids[0].ShouldNotBe(ids[1]);
        decider.Replies()[5].Reply.Code.ShouldBe("unknown-process");
        _fixture.Read("x"u8.ToArray(), [1], new Headers { { CloudEventHeaders.AnswerTo, "relay"u8.ToArray() } }).Fault!.Value.Message
            .ShouldContain("process/step/id");
    }

    private static IncomingCommand Direct(string id, object payload) =>
        IncomingCommand.From(new CommandEnvelope(AggregateId.Parse("p"), CommandId.Parse(id), payload),
            ProcessingFixture.RecordTime, default);

    private static IncomingCommand Elapsed() => IncomingCommand.From(Again, CommandId.Parse("timer-again"), new TimerElapsed("again", Due));

    private IncomingCommand FromProcess(string aggregate, IAvroRecord payload, string id, string answerTo) =>
        _fixture.Read(Encoding.UTF8.GetBytes(aggregate), _fixture.Encode(payload),
            new Headers
            {
                { CloudEventHeaders.Id, Encoding.UTF8.GetBytes(id) },
                { CloudEventHeaders.AnswerTo, Encoding.UTF8.GetBytes(answerTo) },
            });

    private void Decide(params IncomingCommand[] commands)
    {
        _decider.Begin(0);
        foreach (IncomingCommand command in commands)
            _decider.Decide(command);
    }

    private string[] Ids() => [.. _outbox.Records.Where(r => r.Target.Topic == "app.counter.commands").Select(r =>
        Header(r.Message, CloudEventHeaders.Id))];

    private List<string> Sent(string topic) =>
        [.. _outbox.Records.Where(r => r.Target.Topic == topic).Select(r =>
            $"{Encoding.UTF8.GetString(r.Message.Key)} <- Add {((Add)_fixture.Decode(r.Message.Value)).By}, "
                + $"told {Header(r.Message, CloudEventHeaders.AnswerTo)}")];

    private static string Header(Message<byte[], byte[]> message, string name) =>
        Encoding.UTF8.GetString(CloudEventHeaders.Find(message.Headers, name)!);
}
