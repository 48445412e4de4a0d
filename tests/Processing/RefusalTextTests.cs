using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class RefusalTextTests
{
    [Fact]
    public void Bounded_leaves_what_is_within_as_it_is()
    {
        CommandReply reply = Reply(new string('x', RefusalText.MaxLength));
        RefusalText.Bounded(reply).ShouldBeSameAs(reply);
    }

    [Fact]
    public void Bounded_cuts_texts_and_details_without_halving_a_character()
    {
        string text = string.Concat(new string('x', RefusalText.MaxLength - 2), "😀😀");
        CommandReply bounded = RefusalText.Bounded(Reply(text) with
        {
            Details = Enumerable.Range(0, 40).ToDictionary(i => $"{new string('k', 3_000)}{i}", _ => text).Concat([new("short", "y")]).Reverse().ToDictionary(),
        });
        bounded.Message.ShouldBe(string.Concat(new string('x', RefusalText.MaxLength - 2), "…"));
        bounded.Details.Count.ShouldBe(2); // long names that begin alike have become one
        bounded.Details["short"].ShouldBe("y");
    }

    private static CommandReply Reply(string message) =>
        new() { CommandId = "c", AggregateId = "a", Outcome = ReplyOutcome.Rejected, Version = 1, Code = "no", Message = message };
}
