namespace KafkaEventSourcing;

/// <summary>
/// What an event of a process causes: commands to other aggregates, and timers of its own. Pure data: the partition task sends and sets it
/// in the transaction that commits the event. Immutable.
/// </summary>
public sealed class Reaction
{
    private const int MaxNameLength = 64;

    private Reaction(IReadOnlyList<ReactionCommand> commands, IReadOnlyList<ReactionTimer> timers) =>
        (Commands, Timers) = (commands, timers);

    /// <summary>Nothing happens; also the beginning of every other reaction.</summary>
    public static Reaction None { get; } = new([], []);

    /// <summary>The commands, in order.</summary>
    public IReadOnlyList<ReactionCommand> Commands { get; }

    /// <summary>The timers that are set or cancelled.</summary>
    public IReadOnlyList<ReactionTimer> Timers { get; }

    /// <summary>
    /// Sends <paramref name="command"/> to <paramref name="to"/>; its outcome comes back to the process under the name of
    /// <paramref name="step"/>.
    /// </summary>
    /// <param name="step">A name that the process knows the command by: lower case letters, digits and hyphens, at most 64.</param>
    /// <param name="to">The aggregate that shall decide.</param>
    /// <param name="command">A command that an aggregate type of the application decides.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    public Reaction Send(string step, AggregateId to, object command)
    {
        ArgumentNullException.ThrowIfNull(command);
        Check(step, nameof(step));
        _ = to.Value;
        return new Reaction([.. Commands, new ReactionCommand(step, to, command)], Timers);
    }

    /// <summary>
    /// Has the process told when <paramref name="due"/> has come, whatever restarts in between; a timer of the same name is moved. A name
    /// and time that it learned of is not told again.
    /// </summary>
    /// <param name="timer">A name of the process's own: lower case letters, digits and hyphens, at most 64.</param>
    /// <param name="due">When; a time that has passed is told at once.</param>
    /// <exception cref="InvalidInputException">The name is not of that form.</exception>
    public Reaction At(string timer, DateTimeOffset due)
    {
        Check(timer, nameof(timer));
        return new Reaction(Commands, [.. Timers, new ReactionTimer(timer, due)]);
    }

    /// <summary>Cancels a timer; one that is not set is none.</summary>
    public Reaction Cancel(string timer)
    {
        Check(timer, nameof(timer));
        return new Reaction(Commands, [.. Timers, new ReactionTimer(timer, null)]);
    }

    private static void Check(string name, string field)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (name.Length is 0 or > MaxNameLength || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-'))
            throw new InvalidInputException(field, $"'{name}' must have 1 to {MaxNameLength} lower case letters, digits and hyphens.");
    }
}

/// <summary>A command that a process sends.</summary>
/// <param name="Step">What the process knows it by.</param>
/// <param name="To">The aggregate that shall decide.</param>
/// <param name="Command">The command.</param>
public sealed record ReactionCommand(string Step, AggregateId To, object Command);

/// <summary>A timer of a process.</summary>
/// <param name="Name">What the process knows it by.</param>
/// <param name="Due">When; null: it is cancelled.</param>
public sealed record ReactionTimer(string Name, DateTimeOffset? Due);
