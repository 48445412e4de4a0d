namespace KafkaEventSourcing;

/// <summary>
/// The outcome of a command: exactly one of <see cref="Accepted"/>, <see cref="Rejected"/>, <see cref="Conflict"/> and
/// <see cref="Faulted"/>. All four are answers; an exception means that the outcome is not known.
/// </summary>
public abstract record CommandResult
{
    private CommandResult(CommandId commandId, AggregateId aggregateId, long version) =>
        (CommandId, AggregateId, Version) = (commandId, aggregateId, version);

    /// <summary>The command that this answers.</summary>
    public CommandId CommandId { get; }

    /// <summary>The aggregate that decided.</summary>
    public AggregateId AggregateId { get; }

    /// <summary>The aggregate's version after the command.</summary>
    public long Version { get; }

    /// <summary>Whether the id had been decided before, and this is the first outcome told again.</summary>
    public bool IsDuplicate { get; init; }

    /// <summary>The command took effect.</summary>
    public sealed record Accepted : CommandResult
    {
        /// <summary>Creates the outcome.</summary>
        public Accepted(CommandId commandId, AggregateId aggregateId, long version, ConsistencyToken token)
            : base(commandId, aggregateId, version) =>
            Token = token;

        /// <summary>Hand it to a read to see at least this state.</summary>
        public ConsistencyToken Token { get; }
    }

    /// <summary>The domain said no. Nothing changed.</summary>
    public sealed record Rejected : CommandResult
    {
        /// <summary>Creates the outcome.</summary>
        public Rejected(CommandId commandId, AggregateId aggregateId, long version, Rejection rejection)
            : base(commandId, aggregateId, version) =>
            Rejection = rejection;

        /// <summary>Why.</summary>
        public Rejection Rejection { get; }
    }

    /// <summary>
    /// The expected version did not hold: somebody else was first. Nothing changed; <see cref="CommandResult.Version"/> is the current one.
    /// </summary>
    public sealed record Conflict : CommandResult
    {
        /// <summary>Creates the outcome.</summary>
        public Conflict(CommandId commandId, AggregateId aggregateId, long version, ExpectedVersion expected)
            : base(commandId, aggregateId, version) =>
            Expected = expected;

        /// <summary>What the sender had believed.</summary>
        public ExpectedVersion Expected { get; }
    }

    /// <summary>
    /// The command could not be decided: the domain's own code failed on it, or it was parked and then discarded. Nothing changed.
    /// </summary>
    public sealed record Faulted : CommandResult
    {
        /// <summary>Creates the outcome.</summary>
        public Faulted(CommandId commandId, AggregateId aggregateId, long version, string code, string message)
            : base(commandId, aggregateId, version) =>
            (Code, Message) = (code, message);

        /// <summary>A stable name, such as <c>decide-failed</c>, <c>event-too-large</c> or <c>discarded</c>.</summary>
        public string Code { get; }

        /// <summary>What was wrong, and what to do.</summary>
        public string Message { get; }
    }
}
