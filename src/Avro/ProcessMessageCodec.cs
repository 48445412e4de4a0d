using System.Diagnostics.CodeAnalysis;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// Commands that only the engine sends (<see cref="ProcessMessages"/>), as they are in a record and as a process decides them.
/// </summary>
public static class ProcessMessageCodec
{
    /// <summary>
    /// The type of the record that carries a command of <paramref name="commandType"/>: that type itself, unless only the engine sends it.
    /// </summary>
    public static Type RecordTypeOf(Type commandType) =>
        commandType == typeof(CommandCompleted)
            ? typeof(CommandAnswered)
            : commandType == typeof(KafkaEventSourcing.TimerElapsed)
            ? typeof(Messages.TimerElapsed)
            : commandType;

    /// <summary>
    /// What a process decides on <paramref name="record"/>; of other records they themselves. False: the record is malformed, and
    /// <paramref name="error"/> says how.
    /// </summary>
    public static bool TryDecode(IAvroRecord record, [NotNullWhen(true)] out object? command, [NotNullWhen(false)] out string? error)
    {
        (command, error) = record switch
        {
            CommandAnswered answered => Decode(answered),
            Messages.TimerElapsed elapsed => (new KafkaEventSourcing.TimerElapsed(elapsed.Name, elapsed.Due), null),
            _ => ((object?)record, (string?)null),
        };
        return command is not null;
    }

    private static (object? Command, string? Error) Decode(CommandAnswered answered)
    {
        if (!CommandId.TryParse(answered.CommandId, out CommandId commandId, out string? error)
            || !AggregateId.TryParse(answered.AggregateId, out AggregateId aggregateId, out error))
            return (null, $"The outcome of the step '{answered.Step}' cannot be told: {error}");
        CommandResultKind? outcome = answered.Outcome switch
        {
            ReplyOutcome.Accepted => CommandResultKind.Accepted,
            ReplyOutcome.Rejected => CommandResultKind.Rejected,
            ReplyOutcome.Conflict => CommandResultKind.Conflict,
            ReplyOutcome.Faulted => CommandResultKind.Faulted,
            _ => null,
        };
        return outcome is not { } known
            ? (null, $"The outcome of the step '{answered.Step}' is {answered.Outcome}, which is not an outcome.")
            : (new CommandCompleted(answered.Step, known)
            {
                CommandId = commandId,
                AggregateId = aggregateId,
                Version = answered.Version,
                Code = answered.Code ?? "",
                Message = answered.Message ?? "",
            }, null);
    }
}
