namespace KafkaEventSourcing.Testing;

/// <summary>
/// What an event of before is read as. Each <c>Then</c> throws <see cref="ScenarioException"/> when it is something else.
/// </summary>
public sealed class UpcastOutcome
{
    internal UpcastOutcome(IReadOnlyList<object> events) => Events = events;

    /// <summary>The events, in order.</summary>
    public IReadOnlyList<object> Events { get; }

    /// <summary>It is read as exactly these events, in this order.</summary>
    public UpcastOutcome Then(params IReadOnlyList<object> events)
    {
        ArgumentNullException.ThrowIfNull(events);
        if (!Events.SequenceEqual(events))
            throw new ScenarioException($"Expected {ScenarioText.Of(events)}{Environment.NewLine}but got {ScenarioText.Of(Events)}");
        return this;
    }

    /// <summary>It is read as no event: its type is withdrawn, or it is upcast to none.</summary>
    public UpcastOutcome ThenNothing() => Then();
}
