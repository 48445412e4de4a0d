using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>What a decider says, as the replies topic has it.</summary>
internal static class DeciderReplies
{
    public static IReadOnlyList<(IncomingCommand Command, CommandReply Reply)> Replies(
        this BatchDecider decider, int partition = ProcessingFixture.Partition) =>
        [.. decider.Answers.Select(a => (a.Command, OutcomeReplies.ToReply(a.Command, a.Outcome, partition)))];
}
