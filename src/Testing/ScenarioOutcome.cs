using System.Globalization;

namespace KafkaEventSourcing.Testing;

/// <summary>What a scenario's command led to. Each <c>Then</c> throws <see cref="ScenarioException"/> when it was something else.</summary>
public sealed class ScenarioOutcome<TState>
    where TState : class
{
    private readonly Decision _decision;

    internal ScenarioOutcome(Decision decision, TState state, IReadOnlyList<Reaction> reactions)
    {
        (_decision, State) = (decision, state);
        Sent = [.. reactions.SelectMany(r => r.Commands)];
        Timers = [.. reactions.SelectMany(r => r.Timers)];
    }

    /// <summary>The commands that a process's events cause, in order.</summary>
    public IReadOnlyList<ReactionCommand> Sent { get; }

    /// <summary>The timers that they set or cancel, in order.</summary>
    public IReadOnlyList<ReactionTimer> Timers { get; }

    /// <summary>The aggregate's state after the command.</summary>
    public TState State { get; }

    /// <summary>The command led to exactly these events, in this order.</summary>
    public ScenarioOutcome<TState> Then(params IReadOnlyList<object> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        if (_decision.IsRejected || !_decision.Events.SequenceEqual(events))
            throw new ScenarioException($"Expected {ScenarioText.Of(events)}{Environment.NewLine}but got {Told(_decision)}");
        return this;
    }

    /// <summary>The events of the process cause exactly these commands, in this order.</summary>
    public ScenarioOutcome<TState> ThenSends(params IReadOnlyList<ReactionCommand> commands)
    {
        ArgumentNullException.ThrowIfNull(commands);
        if (!Sent.SequenceEqual(commands))
            throw new ScenarioException(
                $"Expected to send {ScenarioText.Of(commands)}{Environment.NewLine}but sent {ScenarioText.Of(Sent)}");
        return this;
    }

    /// <summary>The events of the process set and cancel exactly these timers, in this order.</summary>
    public ScenarioOutcome<TState> ThenTimers(params IReadOnlyList<ReactionTimer> timers)
    {
        ArgumentNullException.ThrowIfNull(timers);
        if (!Timers.SequenceEqual(timers))
            throw new ScenarioException(
                $"Expected the timers {ScenarioText.Of(timers)}{Environment.NewLine}but got {ScenarioText.Of(Timers)}");
        return this;
    }

    /// <summary>The command was accepted and changed nothing.</summary>
    public ScenarioOutcome<TState> ThenNothing() => Then();

    /// <summary>The command was rejected under this code, with at least these figures among its details.</summary>
    public ScenarioOutcome<TState> ThenRejected(string code, params IReadOnlyList<(string Name, object Value)> details)
    {
        ArgumentNullException.ThrowIfNull(details);
        if (_decision.Rejection is not { } rejection || rejection.Code != code)
            throw new ScenarioException($"Expected the rejection '{code}'{Environment.NewLine}but got {Told(_decision)}");
        foreach ((string name, object value) in details)
        {
            string expected = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
            if (!rejection.Details.TryGetValue(name, out string? actual) || actual != expected)
                throw new ScenarioException(
                    $"Expected the rejection '{code}' with {name} = {expected}{Environment.NewLine}but got {Told(_decision)}");
        }

        return this;
    }

    private static string Told(in Decision decision) => decision.Rejection is { } rejection
        ? $"the rejection '{rejection.Code}': {rejection.Message} "
            + $"({string.Join(", ", rejection.Details.Select(d => $"{d.Key} = {d.Value}"))})"
        : ScenarioText.Of(decision.Events);
}
