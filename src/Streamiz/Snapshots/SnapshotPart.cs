namespace KafkaEventSourcing.Streamiz;

/// <summary>A fold per aggregate of one type.</summary>
internal sealed record SnapshotPart(AggregateDefinition Aggregate, SnapshotOptions Options)
{
    /// <summary>The name of the store.</summary>
    public string Store { get; } = StoreOf(Aggregate);

    /// <summary>The store of the snapshots of <paramref name="aggregate"/>.</summary>
    public static string StoreOf(AggregateDefinition aggregate) => $"{aggregate.Name}-snapshots";

    /// <summary>Whether a state is that of an aggregate that is dropped; null: none is.</summary>
    public Func<object, bool>? DropWhen { get; init; }
}
