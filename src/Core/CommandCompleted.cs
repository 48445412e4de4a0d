namespace KafkaEventSourcing;

/// <summary>
/// A command that a process has sent is decided: what a process decides by <c>Decides&lt;CommandCompleted&gt;</c>. Only the engine sends
/// it.
/// </summary>
/// <param name="Step">What the process called the command.</param>
/// <param name="Outcome">What became of it.</param>
public sealed record CommandCompleted(string Step, CommandResultKind Outcome)
{
    /// <summary>The command.</summary>
    public CommandId CommandId { get; init; }

    /// <summary>The aggregate that decided.</summary>
    public AggregateId AggregateId { get; init; }

    /// <summary>The aggregate's version after the command.</summary>
    public long Version { get; init; }

    /// <summary>Of a command that was not accepted: its stable name, as in <see cref="Rejection.Code"/>; else empty.</summary>
    public string Code { get; init; } = "";

    /// <summary>Of a command that was not accepted: one sentence for a person; else empty.</summary>
    public string Message { get; init; } = "";

    /// <summary>Whether the command took effect.</summary>
    public bool IsAccepted => Outcome == CommandResultKind.Accepted;
}

/// <summary>What became of a command, in one word; <see cref="CommandResult"/> has the whole of it.</summary>
public enum CommandResultKind
{
    /// <summary>It took effect.</summary>
    Accepted,

    /// <summary>The domain said no.</summary>
    Rejected,

    /// <summary>The expected version did not hold.</summary>
    Conflict,

    /// <summary>It could not be decided.</summary>
    Faulted,
}
