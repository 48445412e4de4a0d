namespace KafkaEventSourcing.Streamiz;

/// <summary>Totals by key and calendar window.</summary>
internal sealed record TotalsPart(string Name, Calendar Calendar, string TimeZone,
    IReadOnlyDictionary<(AggregateDefinition Source, Type Event), Func<RecordedEvent, TotalEntry?>> Selectors)
{
    /// <summary>The aggregate types whose events add.</summary>
    public IReadOnlyList<AggregateDefinition> Sources { get; } = [.. Selectors.Keys.Select(k => k.Source).Distinct()];

    /// <summary>The name of the store; the internal topic that brings the amounts to their keys is called by it too.</summary>
    public string Store => Name;
}
