namespace KafkaEventSourcing.Processing;

/// <summary>How a command came out. The numbers are those in state stores and snapshots.</summary>
internal enum OutcomeKind : byte
{
    Accepted,
    Rejected,
    Conflict,
    Faulted,

    /// <summary>The aggregate is parked: the command is not decided yet.</summary>
    Parked,
}

/// <summary>
/// What the decider says of a command. The ids are those of the command and the partition is that of the decider, so none of them is
/// repeated here; <see cref="OutcomeReplies"/> puts them together for whoever is told.
/// </summary>
/// <param name="Kind">How it came out.</param>
/// <param name="Version">The aggregate's version after it.</param>
/// <param name="EventOffset">The offset of the aggregate's last event, of an accepted command; -1: it has none, or the command was not
/// accepted.</param>
/// <param name="Explanation">Why, and figures; null when there is nothing to say.</param>
/// <param name="IsDuplicate">Whether the id had been decided before, and this is its first outcome told again.</param>
internal readonly record struct CommandOutcome(OutcomeKind Kind, long Version, long EventOffset = -1, Explanation? Explanation = null,
    bool IsDuplicate = false)
{
    public static CommandOutcome Rejected(long version, string code, string message, IReadOnlyDictionary<string, string>? details = null) =>
        new(OutcomeKind.Rejected, version, Explanation: Explanation.Bounded(code, message, details));

    public static CommandOutcome Faulted(long version, string code, string message) =>
        new(OutcomeKind.Faulted, version, Explanation: Explanation.Bounded(code, message));

    public static CommandOutcome Conflict(long version, ExpectedVersion expected) =>
        new(OutcomeKind.Conflict, version, Explanation: new Explanation(null, null, expected.ToString(), Explanation.NoDetails));
}
