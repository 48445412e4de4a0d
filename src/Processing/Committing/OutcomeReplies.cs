using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Outcomes as those are told who wait for them: the record of the replies topic, and the result at the direct door.</summary>
internal static class OutcomeReplies
{
    private static readonly string WasQueued = bool.TrueString;

    /// <summary>The record of the replies topic.</summary>
    public static CommandReply ToReply(IncomingCommand command, CommandOutcome outcome, int partition) => new()
    {
        CommandId = command.CommandId.Value,
        AggregateId = AggregateOf(command),
        Outcome = ToWire(outcome.Kind),
        Duplicate = outcome.IsDuplicate,
        Version = outcome.Version,
        EventPartition = outcome.EventOffset < 0 ? -1 : partition,
        EventOffset = outcome.EventOffset,
        ExpectedVersion = outcome.Explanation?.Expected,
        Code = outcome.Explanation?.Code,
        Message = outcome.Explanation?.Message,
        Details = outcome.Explanation?.Details ?? Explanation.NoDetails,
    };

    /// <summary>What the replies topic calls it.</summary>
    public static ReplyOutcome ToWire(OutcomeKind kind) => kind switch
    {
        OutcomeKind.Accepted => ReplyOutcome.Accepted,
        OutcomeKind.Rejected => ReplyOutcome.Rejected,
        OutcomeKind.Conflict => ReplyOutcome.Conflict,
        OutcomeKind.Faulted => ReplyOutcome.Faulted,
        _ => ReplyOutcome.Parked,
    };

    /// <summary>The key of its reply.</summary>
    public static string AggregateOf(IncomingCommand command) =>
        command.AggregateId.IsDefault ? command.KeyText : command.AggregateId.Value;

    /// <summary>
    /// Tells the caller of a command at the direct door; that the aggregate is parked is not an outcome, but an
    /// <see cref="AggregateParkedException"/>.
    /// </summary>
    public static void Tell(DirectCaller caller, IncomingCommand command, CommandOutcome outcome, int partition)
    {
        Explanation? words = outcome.Explanation;
        if (outcome.Kind == OutcomeKind.Parked)
        {
            bool isQueued = words!.Details.GetValueOrDefault(CommandReplies.Queued) == WasQueued;
            caller.TrySetException(new AggregateParkedException(command.AggregateId, words.Code ?? "", words.Message ?? "", isQueued));
        }
        else
        {
            caller.TrySetResult(ToResult(command, outcome, partition));
        }

        caller.Completed();
    }

    private static CommandResult ToResult(IncomingCommand command, CommandOutcome outcome, int partition)
    {
        (CommandId id, AggregateId aggregate, Explanation? words) = (command.CommandId, command.AggregateId, outcome.Explanation);
        bool again = outcome.IsDuplicate;
        return outcome.Kind switch
        {
            OutcomeKind.Accepted =>
                new CommandResult.Accepted(id, aggregate, outcome.Version,
                    outcome.EventOffset < 0 ? default : new ConsistencyToken(partition, outcome.EventOffset)) { IsDuplicate = again },
            OutcomeKind.Rejected =>
                new CommandResult.Rejected(id, aggregate, outcome.Version,
                    new Rejection(words!.Code ?? "", words.Message ?? "", words.Details)) { IsDuplicate = again },
            OutcomeKind.Conflict =>
                new CommandResult.Conflict(id, aggregate, outcome.Version, ExpectedVersion.Parse(words!.Expected ?? "any"))
                {
                    IsDuplicate = again,
                },
            _ => new CommandResult.Faulted(id, aggregate, outcome.Version, words!.Code ?? "", words.Message ?? "") { IsDuplicate = again },
        };
    }
}
