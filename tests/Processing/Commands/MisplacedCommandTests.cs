using System.Text;
using Confluent.Kafka;
using Counting;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class MisplacedCommandTests(ProcessingFixture fixture) : IClassFixture<ProcessingFixture>
{
    private const int Partitions = 4;
    private const int ReplyPartitions = 3;

    // Such a record was decided where it lay: one aggregate had two histories, both with version 1.
    [Fact]
    public void Record_belongs_to_the_partition_of_its_key_wherever_it_lies()
    {
        int right = Murmur2.Partition("a"u8, Partitions);
        Enumerable.Range(0, Partitions).Select(p => MisplacedCommand.RightPartition(Record("a"u8.ToArray(), p), Partitions))
            .ShouldBe(Enumerable.Range(0, Partitions).Select(p => p == right ? null : (int?)right));
    }

    [Fact]
    public void Record_without_an_aggregate_and_request_of_an_operator_stay_where_they_are()
    {
        for (int partition = 0; partition < Partitions; partition++)
        {
            MisplacedCommand.RightPartition(Record(null, partition), Partitions).ShouldBeNull();
            MisplacedCommand.RightPartition(Record([0xff, 0xfe], partition), Partitions).ShouldBeNull();
            MisplacedCommand.RightPartition(Record("a"u8.ToArray(), partition, ("kes_deadletters", "retry")), Partitions).ShouldBeNull();
        }
    }

    [Fact]
    public void Forwarded_record_has_what_would_change_with_its_place_and_where_it_came_from()
    {
        ConsumeResult<byte[], byte[]> record = Record("a"u8.ToArray(), 2, ("x-own", "kept"));
        Message<byte[], byte[]> forwarded = Forwarded(record);
        forwarded.Key.ShouldBe(record.Message.Key);
        forwarded.Value.ShouldBe(record.Message.Value);
        Headers(forwarded).ShouldBe(["x-own: kept", $"ce_id: {ProcessingFixture.Topic}-2-42", "ce_time: 2026-05-01T08:00:00Z",
            "kes_replyto: 2", "kes_forwardedfrom: 2@42/4"]);
    }

    [Fact]
    public void Forwarded_record_keeps_what_its_producer_said()
    {
        Message<byte[], byte[]> forwarded = Forwarded(
            Record("a"u8.ToArray(), 3, ("ce_id", "c1"), ("ce_time", "2026-03-01T13:00:00Z"), ("kes_replyto", "1/me")));
        Headers(forwarded).ShouldBe(["ce_id: c1", "ce_time: 2026-03-01T13:00:00Z", "kes_replyto: 1/me", "kes_forwardedfrom: 3@42/4"]);
    }

    [Theory]
    [InlineData("7/me", "0/me")] // there are fewer partitions: it goes where it would have gone, to the partition of the command
    [InlineData("nowhere", "0")]
    public void Reply_address_that_is_of_no_use_becomes_that_of_the_place(string given, string forwarded) =>
        Headers(Forwarded(Record("a"u8.ToArray(), 3, ("ce_id", "c1"), ("ce_time", "2026-03-01T13:00:00Z"), ("kes_replyto", given))))
            .ShouldContain($"kes_replyto: {forwarded}");

    [Fact]
    public void Record_whose_timestamp_is_no_time_keeps_it_so_that_its_fault_is_told_where_it_is_decided()
    {
        ConsumeResult<byte[], byte[]> record = Record("a"u8.ToArray(), 3);
        record.Message.Timestamp = new Timestamp(long.MaxValue, TimestampType.CreateTime);
        Message<byte[], byte[]> forwarded = Forwarded(record);
        forwarded.Timestamp.UnixTimestampMs.ShouldBe(long.MaxValue);
        Headers(forwarded).ShouldNotContain(h => h.StartsWith("ce_time", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("0@7/2", false)] // the topic has more partitions since
    [InlineData("0@7/4", true)]
    [InlineData("0@7/8", true)]
    [InlineData("from my producer", false)]
    public void Record_that_was_forwarded_goes_on_only_when_there_are_more_partitions_since(string from, bool stays)
    {
        ConsumeResult<byte[], byte[]> record = Record("a"u8.ToArray(), 3, ("kes_forwardedfrom", from));
        string? reason = MisplacedCommand.ReasonToKeep(record, right: 1, Partitions);
        (reason is not null).ShouldBe(stays, reason);
    }

    [Fact]
    public void Command_on_the_wrong_partition_is_forwarded_and_not_decided_and_one_that_Kafka_does_not_take_is_put_aside()
    {
        using var folder = new TemporaryFolder();
        using StateStore store = Counter.Open(folder.Child("store"));
        var parked = new ParkedAggregates(new TopicFamily("app", "counter"), 3, TimeProvider.System);
        var decider = new BatchDecider(Counter.Definition, 3, store, new AggregateCache(store, Counter.Definition, 100), fixture.Encoder,
            1_000, parked, fixture.Outbox(Counter.Definition));
        IncomingCommand command = CommandRecord.ReadMisplaced(Record("a"u8.ToArray(), 3), default, right: 1, fault: null);
        decider.Begin(0);
        decider.Decide(command);
        decider.Forwarded.ShouldBe([command]);
        (decider.Events.Count, decider.Replies().Count, decider.DeadLetters.Count).ShouldBe((0, 0, 0));

        command.RefuseForward("too large");
        decider.Begin(0);
        decider.Decide(command);
        decider.Forwarded.ShouldBeEmpty();
        decider.Events.ShouldBeEmpty();
        (decider.Replies().ShouldHaveSingleItem().Reply.Code, decider.DeadLetters.Count).ShouldBe((CommandRecord.Misplaced, 1));
    }

    [Fact]
    public void Producer_is_warned_of_once_an_hour()
    {
        var clock = new ManualClock(ProcessingFixture.RecordTime);
        var logger = new LinesLogger();
        var warnings = new MisplacedCommandWarnings(new TopicFamily("app", "counter"), Partitions, logger, clock);
        for (int hour = 0; hour < 2; hour++)
        {
            for (int i = 0; i < 3; i++)
            {
                warnings.Forwarded(Record("a"u8.ToArray(), 3), 1);
                warnings.Forwarded(Record("a"u8.ToArray(), 3, ("ce_source", "/till\n\e[31m7")), 1);
            }

            clock.Advance(TimeSpan.FromMinutes(61));
        }

        logger.Lines.Count.ShouldBe(4);
        logger.Lines[1].ShouldContain("/till\uFFFD\uFFFD[31m7");
        logger.Lines[1].ShouldContain("app.counter.commands 3@42");
        logger.Lines[1].ShouldContain("partitioner=murmur2_random");
    }

    private static Message<byte[], byte[]> Forwarded(ConsumeResult<byte[], byte[]> record) =>
        MisplacedCommand.Forwarded(CommandRecord.ReadMisplaced(record, default, right: 1, fault: null), Partitions, ReplyPartitions);

    private static IEnumerable<string> Headers(Message<byte[], byte[]> message) =>
        message.Headers.Select(h => $"{h.Key}: {Encoding.UTF8.GetString(h.GetValueBytes())}");

    private ConsumeResult<byte[], byte[]> Record(byte[]? key, int partition, params (string Name, string Value)[] headers)
    {
        var message = new Message<byte[], byte[]>
        {
            Key = key!,
            Value = fixture.Encode(new Add { By = 1 }),
            Headers = [],
            Timestamp = new Timestamp(ProcessingFixture.RecordTime),
        };
        foreach ((string name, string value) in headers)
            message.Headers.Add(name, Encoding.UTF8.GetBytes(value));
        return new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(ProcessingFixture.Topic, partition, 42),
            Message = message,
        };
    }

    private sealed class LinesLogger : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => Lines.Add(formatter(state, exception));
    }
}
