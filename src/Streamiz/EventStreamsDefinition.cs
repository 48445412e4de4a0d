namespace KafkaEventSourcing.Streamiz;

/// <summary>What is derived from the events of one or several aggregate types. Immutable and thread-safe.</summary>
public sealed class EventStreamsDefinition
{
    internal EventStreamsDefinition(string name, IReadOnlyList<AggregateDefinition> sources) => (Name, Sources) = (name, sources);

    /// <summary>The name: Kafka's group, Streamiz' <c>application.id</c>, and the first part of the names of its topics.</summary>
    public string Name { get; }

    /// <summary>The aggregate types whose events are read.</summary>
    public IReadOnlyList<AggregateDefinition> Sources { get; }
}
