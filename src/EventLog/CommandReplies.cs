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

    private static ConsistencyToken TokenOf(CommandReply reply) => reply.EventPartition < 0 ? default : new ConsistencyToken(reply.EventPartition, reply.EventOffset);
}
