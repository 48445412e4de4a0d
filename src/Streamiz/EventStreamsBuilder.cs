namespace KafkaEventSourcing.Streamiz;

/// <summary>Collects what is derived from the events of one or several aggregate types. Not thread-safe; used once at start-up.</summary>
public sealed class EventStreamsBuilder
{
    private readonly string _name;
    private readonly List<AggregateDefinition> _sources = [];

    internal EventStreamsBuilder(string name) => _name = name;

    /// <summary>Adds an aggregate type whose events are read.</summary>
    /// <exception cref="InvalidOperationException">It was added already, or another one of its name.</exception>
    public EventStreamsBuilder From(AggregateDefinition aggregate)
    {
        ArgumentNullException.ThrowIfNull(aggregate);
        if (_sources.Exists(s => s.Name == aggregate.Name))
            throw new InvalidOperationException($"The event streams '{_name}' already read the aggregate type '{aggregate.Name}'.");
        _sources.Add(aggregate);
        return this;
    }

    /// <summary>The definition as described so far.</summary>
    /// <exception cref="InvalidOperationException">It reads nothing.</exception>
    public EventStreamsDefinition Build() => _sources.Count == 0
        ? throw new InvalidOperationException($"The event streams '{_name}' read nothing: call {nameof(From)} at least once.")
        : new EventStreamsDefinition(_name, [.. _sources]);
}
