using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A join of two aggregate types by a reference of the left one.</summary>
internal sealed record JoinPart(string Name, AggregateDefinition Left, AggregateDefinition Right, Type ResultType,
    Func<object, string?> On, Func<object, object?, IAvroRecord?> Select)
{
    /// <summary>The name of the store of who refers to whom; the internal topic that brings them there is called by it too.</summary>
    public string Requests => $"{Name}-requests";
}
