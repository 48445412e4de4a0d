using KafkaEventSourcing.Projections;

namespace KafkaEventSourcing.Cli.Chaos.Domain;

/// <summary>A purse as its read model has it: a movement that was projected twice, or not, shows in its count and its sum.</summary>
internal sealed record PurseDocument
{
    public static ProjectionDefinition Projection { get; } = ProjectionDefinition.Define<PurseDocument>("purses")
        .Folds<MoneyPutIn>((_, r) => r.AggregateId.Value, (purse, moved, r) => Moved(purse, r, moved.Amount))
        .Folds<MoneyTakenOut>((_, r) => r.AggregateId.Value, (purse, moved, r) => Moved(purse, r, -moved.Amount))
        .Build();

    public required string Id { get; init; }

    public required long Sum { get; init; }

    public required long Movements { get; init; }

    public required long Version { get; init; }

    private static PurseDocument Moved(PurseDocument? purse, RecordedEvent recorded, long amount) => new()
    {
        Id = recorded.AggregateId.Value,
        Sum = (purse?.Sum ?? 0) + amount,
        Movements = (purse?.Movements ?? 0) + 1,
        Version = recorded.Version,
    };
}
