namespace KafkaEventSourcing.Testing;

internal static class ScenarioText
{
    /// <summary>Events, commands or timers, each on a line of its own.</summary>
    public static string Of(IReadOnlyList<object> events) =>
        events.Count == 0 ? "no event" : string.Concat(events.Select(e => $"{Environment.NewLine}  {e}"));
}
