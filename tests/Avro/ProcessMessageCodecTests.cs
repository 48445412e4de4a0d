using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Avro.Tests;

public sealed class ProcessMessageCodecTests
{
    private static readonly CommandAnswered Answered = new()
    {
        Step = "debit", CommandId = "c1", AggregateId = "a1", Outcome = ReplyOutcome.Rejected, Version = 3, Code = "no",
        Message = "because",
    };

    [Fact]
    public void Decode_outcome_of_a_command_is_a_type_without_wire()
    {
        ProcessMessageCodec.TryDecode(Answered, out object? command, out _).ShouldBeTrue();
        command.ShouldBe(new CommandCompleted("debit", CommandResultKind.Rejected)
        {
            CommandId = CommandId.Parse("c1"),
            AggregateId = AggregateId.Parse("a1"),
            Version = 3,
            Code = "no",
            Message = "because",
        });
        ProcessMessageCodec.TryDecode(new Messages.TimerElapsed { Name = "bell", Due = DateTimeOffset.UnixEpoch }, out command, out _)
            .ShouldBeTrue();
        command.ShouldBe(new KafkaEventSourcing.TimerElapsed("bell", DateTimeOffset.UnixEpoch));
        ProcessMessageCodec.TryDecode(new PartitionPosition
        {
            CommandsTopic = "",
            NextCommandOffset = 1,
            EventsTopic = "",
            NextEventOffset = 1,
            DeadLettersTopic = "",
            TimersTopic = "",
        }, out command, out _).ShouldBeTrue();
        command.ShouldBeOfType<PartitionPosition>();
    }

    // Whoever may write to the command topic may write this; it must not end the partition.
    [Theory]
    [InlineData("", "a1", ReplyOutcome.Accepted, "The command id is empty.")]
    [InlineData("c1", "\u0001", ReplyOutcome.Accepted, "The aggregate id has the control character U+0001.")]
    [InlineData("c1", "a1", ReplyOutcome.Parked, "is Parked, which is not an outcome.")]
    public void Decode_outcome_that_is_malformed_says_how(string commandId, string aggregateId, ReplyOutcome outcome, string error)
    {
        ProcessMessageCodec.TryDecode(Answered with { CommandId = commandId, AggregateId = aggregateId, Outcome = outcome },
            out object? command, out string? told).ShouldBeFalse();
        command.ShouldBeNull();
        told.ShouldEndWith(error);
    }
}
