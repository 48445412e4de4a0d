using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.EventLog;

/// <summary>Outcomes as they travel.</summary>
public static class CommandReplies
{
    /// <summary>The reply as the outcome that it tells of.</summary>
    public static CommandResult ToResult(CommandReply reply)
    {
        ArgumentNullException.ThrowIfNull(reply);
        var command = CommandId.Parse(reply.CommandId);
        var aggregate = AggregateId.Parse(reply.AggregateId);
        return reply.Outcome switch
        {
            ReplyOutcome.Accepted => new CommandResult.Accepted(command, aggregate, reply.Version, TokenOf(reply)) { IsDuplicate = reply.Duplicate },
            ReplyOutcome.Rejected => new CommandResult.Rejected(command, aggregate, reply.Version, new Rejection(reply.Code ?? "", reply.Message ?? "", reply.Details)) { IsDuplicate = reply.Duplicate },
            ReplyOutcome.Conflict => new CommandResult.Conflict(command, aggregate, reply.Version, ExpectedVersion.Parse(reply.ExpectedVersion ?? "any")) { IsDuplicate = reply.Duplicate },
            _ => new CommandResult.Faulted(command, aggregate, reply.Version, reply.Code ?? "", reply.Message ?? "") { IsDuplicate = reply.Duplicate },
        };
    }

    /// <summary>The outcome as the reply that tells of it; <see cref="ToResult"/> gives it back.</summary>
    public static CommandReply FromResult(CommandResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var reply = new CommandReply { CommandId = result.CommandId.Value, AggregateId = result.AggregateId.Value, Version = result.Version, Duplicate = result.IsDuplicate, Outcome = ReplyOutcome.Accepted };
        return result switch
        {
            CommandResult.Accepted { Token.IsDefault: false } accepted => reply with { EventPartition = accepted.Token.Partition, EventOffset = accepted.Token.Offset },
            CommandResult.Accepted => reply,
            CommandResult.Rejected { Rejection: { } no } => reply with { Outcome = ReplyOutcome.Rejected, Code = no.Code, Message = no.Message, Details = no.Details },
            CommandResult.Conflict conflict => reply with { Outcome = ReplyOutcome.Conflict, ExpectedVersion = conflict.Expected.ToString() },
            CommandResult.Faulted faulted => reply with { Outcome = ReplyOutcome.Faulted, Code = faulted.Code, Message = faulted.Message },
            _ => throw new System.Diagnostics.UnreachableException($"{result.GetType().Name} is no outcome."),
        };
    }

    private static ConsistencyToken TokenOf(CommandReply reply) => reply.EventPartition < 0 ? default : new ConsistencyToken(reply.EventPartition, reply.EventOffset);
}
