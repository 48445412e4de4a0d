using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Streamiz;

/// <summary>A join of two aggregate types by a reference of the left one.</summary>
internal sealed record JoinPart(string Name, AggregateDefinition Left, AggregateDefinition Right, Type ResultType,
    Func<object, string?> On, Func<object, object?, IAvroRecord?> Select)
{
    /// <summary>The name of the store of who refers to whom; the internal topic that brings them there is called by it too.</summary>
    public string Requests => $"{Name}-requests";

    /// <summary>What the internal topic is called by that brings states of the right side to those that refer to them.</summary>
    public string Responses => $"{Name}-responses";

    /// <summary>To whom the left aggregate of <paramref name="left"/> refers; null: there is none, or it refers to none.</summary>
    public string? ReferenceOf(Snapshot? left) => left is null ? null : ReferenceIn(left.State!);

    /// <summary>To whom a left aggregate of a state refers; null: to none. No aggregate has an empty id.</summary>
    public string? ReferenceIn(object state) => On(state) is { Length: > 0 } reference ? reference : null;
}
