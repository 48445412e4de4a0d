using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class InputPositionTests
{
    private const string Name = "app.counter.commands [1]";
    private static readonly TopicId Topic = TopicId.From(1, 2);
    private static readonly TopicId Before = TopicId.From(3, 4);

    [Theory]
    [InlineData(null, null, 0, 0, nameof(InputPositionReason.FirstStart))]
    [InlineData(null, 7L, 7, 0, nameof(InputPositionReason.Committed))]
    [InlineData(7L, 7L, 7, 0, nameof(InputPositionReason.Committed))]
    [InlineData(7L, null, 7, 0, nameof(InputPositionReason.CommittedMissing))]
    [InlineData(7L, 3L, 7, 0, nameof(InputPositionReason.CommittedBehind))]
    [InlineData(7L, 9L, 9, 0, nameof(InputPositionReason.CommittedAhead))]
    public void Mark_counts_where_the_committed_offset_is_missing_or_behind(
        long? mark, long? committed, long start, long lost, string reason)
    {
        InputPosition place = InputPosition.Find(Topic, [mark is { } next ? new InputMark(Topic, next) : null], committed, 0, 10, Name);
        (place.Start, place.Lost, place.Reason.ToString()).ShouldBe((start, lost, reason));
    }

    [Fact]
    public void Farthest_mark_of_the_topic_counts_and_marks_of_one_before_do_not() =>
        InputPosition.Find(Topic, [new InputMark(Topic, 4), new InputMark(Before, 9), new InputMark(Topic, 6), null], 2, 0, 10, Name)
            .ShouldBe(new InputPosition(6, InputPositionReason.CommittedBehind, 6));

    [Fact]
    public void Topic_that_was_made_again_begins_at_its_first_command_whatever_is_committed() =>
        InputPosition.Find(Topic, [new InputMark(Before, 9)], 9, 0, 10, Name).ShouldBe(
            new InputPosition(0, InputPositionReason.TopicMadeAgain, 0));

    [Fact]
    public void Unknown_topic_id_is_that_of_every_mark() =>
        InputPosition.Find(default, [new InputMark(Before, 5)], null, 0, 10, Name).ShouldBe(
            new InputPosition(5, InputPositionReason.CommittedMissing, 5));

    [Theory]
    [InlineData(4L, 4L, 3)]
    [InlineData(null, 4L, 3)]
    [InlineData(4L, null, 3)]
    [InlineData(null, null, 0)] // nothing was ever due
    public void Commands_before_the_first_that_is_there_are_lost_when_they_were_due(long? mark, long? committed, long lost)
    {
        InputPosition place = InputPosition.Find(Topic, [mark is { } next ? new InputMark(Topic, next) : null], committed, 7, 10, Name);
        (place.Start, place.Lost).ShouldBe((7, lost));
    }

    [Theory]
    [InlineData(11L, 3L)]
    [InlineData(11L, null)]
    [InlineData(null, 11L)]
    public void Topic_that_ends_before_what_is_decided_is_not_the_one_that_was_left(long? mark, long? committed) =>
        Should.Throw<UnexpectedLogException>(() =>
            InputPosition.Find(Topic, [mark is { } next ? new InputMark(Topic, next) : null], committed, 0, 10, Name))
            .Message.ShouldContain($"{Name} ends at offset 10, and its commands are decided up to 11");

    [Fact]
    public void Mark_is_the_last_header_or_none()
    {
        var mark = new InputMark(Topic, 1_200);
        Encoding.UTF8.GetString(mark.ToBytes()).ShouldBe("AAAAAAAAAAEAAAAAAAAAAg@1200");
        InputMark.TryRead(new Headers { { "ce_id", [1] }, { CloudEventHeaders.Input, mark.ToBytes() } }, out InputMark read).ShouldBeTrue();
        read.ShouldBe(mark);
        InputMark.TryRead(new Headers { { CloudEventHeaders.Input, mark.ToBytes() }, { "ce_id", [1] } }, out _).ShouldBeFalse();
        InputMark.TryRead([], out _).ShouldBeFalse();
        new InputMark(default, 3).ToBytes().ShouldBe("@3"u8.ToArray());
    }

    [Theory]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("AAAAAAAAAAEAAAAAAAAAAg@")]
    [InlineData("AAAAAAAAAAEAAAAAAAAAAg@-1")]
    [InlineData("AAAAAAAAAAEAAAA@7")]
    public void TryParse_of_what_is_no_mark_is_false(string text) =>
        InputMark.TryParse(Encoding.UTF8.GetBytes(text), out _).ShouldBeFalse();
}
