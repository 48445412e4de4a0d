using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// Whose events an engine reads, and which of its read models are folded from those of other aggregate types too, by an engine each.
/// Immutable and thread-safe.
/// </summary>
public sealed class ProjectionFeed
{
    private readonly IReadOnlyDictionary<string, IReadOnlyList<string>> _aggregates;
    private readonly IReadOnlyDictionary<string, IEventLogExtents> _logs;

    /// <summary>The events of <paramref name="aggregate"/>.</summary>
    /// <param name="aggregate">The aggregate type's name.</param>
    /// <param name="aggregates">Of each read model that is folded from several aggregate types, by its name, these types. Others are left
    /// out.</param>
    /// <param name="logs">The logs of the other aggregate types, by their names: how far they reach decides when a read model that is built
    /// anew is whole.</param>
    public ProjectionFeed(string aggregate, IReadOnlyDictionary<string, IReadOnlyList<string>> aggregates,
        IReadOnlyDictionary<string, IEventLogExtents> logs) =>
        (Aggregate, _aggregates, _logs) = (aggregate, aggregates, logs);

    /// <summary>The aggregate type whose events are read.</summary>
    public string Aggregate { get; }

    /// <summary>Of an engine all of whose read models are folded from one aggregate type.</summary>
    internal static ProjectionFeed Only { get; } = new("", new Dictionary<string, IReadOnlyList<string>>(),
        new Dictionary<string, IEventLogExtents>());

    /// <summary>The aggregate types of a read model of several; empty: it has one.</summary>
    internal IReadOnlyList<string> AggregatesOf(string readModel) =>
        _aggregates.TryGetValue(readModel, out IReadOnlyList<string>? several) ? several : [];

    /// <summary>What a checkpoint of <paramref name="readModel"/> is about.</summary>
    internal EventPartition Of(string readModel, int partition) =>
        _aggregates.ContainsKey(readModel) ? new EventPartition(Aggregate, partition) : new EventPartition(null, partition);

    /// <summary>The logs that <paramref name="readModel"/> is folded from, <paramref name="own"/> being the one of this engine.</summary>
    internal IEnumerable<(string? Aggregate, IEventLogExtents Log)> LogsOf(string readModel, IEventLogExtents own) =>
        _aggregates.TryGetValue(readModel, out IReadOnlyList<string>? several)
            ? several.Select(a => ((string?)a, a == Aggregate ? own : _logs[a]))
            : [(null, own)];
}
