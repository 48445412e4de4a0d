using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.EventLog;

/// <summary>Outcomes as they travel.</summary>
public static class CommandReplies
{
    /// <summary>Of a parked aggregate, among the details: whether the command is kept and its outcome will follow.</summary>
    public const string Queued = "queued";

    /// <summary>The reply as the outcome that it reports.</summary>
    /// <exception cref="ArgumentException">It reports none: the aggregate is parked.</exception>
    public static CommandResult ToResult(CommandReply reply)
    {
        ArgumentNullException.ThrowIfNull(reply);
        var command = CommandId.Parse(reply.CommandId);
        var aggregate = AggregateId.Parse(reply.AggregateId);
        return reply.Outcome switch
        {
            ReplyOutcome.Accepted =>
                new CommandResult.Accepted(command, aggregate, reply.Version, TokenOf(reply)) { IsDuplicate = reply.Duplicate },
            ReplyOutcome.Rejected =>
                new CommandResult.Rejected(command, aggregate, reply.Version,
                    new Rejection(reply.Code ?? "", reply.Message ?? "", reply.Details)) { IsDuplicate = reply.Duplicate },
            ReplyOutcome.Conflict =>
                new CommandResult.Conflict(command, aggregate, reply.Version, ExpectedVersion.Parse(reply.ExpectedVersion ?? "any"))
                {
                    IsDuplicate = reply.Duplicate,
                },
            ReplyOutcome.Parked => throw new ArgumentException("A parked command has no outcome yet.", nameof(reply)),
            _ => new CommandResult.Faulted(command, aggregate, reply.Version, reply.Code ?? "", reply.Message ?? "")
            {
                IsDuplicate = reply.Duplicate,
            },
        };
    }

    /// <summary>The outcome as the reply that reports it; <see cref="ToResult"/> gives it back.</summary>
    public static CommandReply FromResult(CommandResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var reply = new CommandReply
        {
            CommandId = result.CommandId.Value,
            AggregateId = result.AggregateId.Value,
            Version = result.Version,
            Duplicate = result.IsDuplicate,
            Outcome = ReplyOutcome.Accepted,
        };
        return result switch
        {
            CommandResult.Accepted { Token.IsDefault: false } accepted =>
                reply with { EventPartition = accepted.Token.Partition, EventOffset = accepted.Token.Offset },
            CommandResult.Accepted => reply,
            CommandResult.Rejected { Rejection: { } no } =>
                reply with { Outcome = ReplyOutcome.Rejected, Code = no.Code, Message = no.Message, Details = no.Details },
            CommandResult.Conflict conflict =>
                reply with { Outcome = ReplyOutcome.Conflict, ExpectedVersion = conflict.Expected.ToString() },
            CommandResult.Faulted faulted => reply with { Outcome = ReplyOutcome.Faulted, Code = faulted.Code, Message = faulted.Message },
            _ => throw new System.Diagnostics.UnreachableException($"{result.GetType().Name} is not an outcome."),
        };
    }

    /// <summary>
    /// Tells <paramref name="caller"/> the outcome; that the aggregate is parked is not an outcome, but an
    /// <see cref="AggregateParkedException"/>.
    /// </summary>
    public static void Complete(TaskCompletionSource<CommandResult> caller, CommandReply reply)
    {
        ArgumentNullException.ThrowIfNull(caller);
        ArgumentNullException.ThrowIfNull(reply);
        if (reply.Outcome == ReplyOutcome.Parked)
            caller.TrySetException(new AggregateParkedException(AggregateId.Parse(reply.AggregateId), reply.Code ?? "", reply.Message ?? "",
                reply.Details.GetValueOrDefault(Queued) == bool.TrueString));
        else
            caller.TrySetResult(ToResult(reply));
    }

    /// <summary>The parked aggregate as the reply that reports it; <see cref="Complete"/> gives it back.</summary>
    public static CommandReply FromParked(AggregateParkedException parked)
    {
        ArgumentNullException.ThrowIfNull(parked);
        return new CommandReply
        {
            CommandId = "",
            Version = 0,
            AggregateId = parked.AggregateId.Value,
            Outcome = ReplyOutcome.Parked,
            Code = parked.Cause,
            Message = parked.Message,
            Details = new Dictionary<string, string> { [Queued] = parked.IsQueued.ToString() },
        };
    }

    private static ConsistencyToken TokenOf(CommandReply reply) =>
        reply.EventPartition < 0 ? default : new ConsistencyToken(reply.EventPartition, reply.EventOffset);
}
