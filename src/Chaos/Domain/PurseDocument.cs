using KafkaEventSourcing.Projections;

namespace KafkaEventSourcing.Chaos.Domain;

/// <summary>A purse as its read model has it: a movement that was projected twice, or not, shows in its count and its sum.</summary>
internal sealed record PurseDocument
{
    public static ProjectionDefinition<PurseDocument> Projection { get; } = ProjectionDefinition.Define<PurseDocument>("purses")
        .Initially(id => new PurseDocument { Id = id, Sum = 0, Movements = 0, Version = 0 })
        .Changes<MoneyPutIn>((purse, moved, r) => purse.Moved(r, moved.Amount))
        .Changes<MoneyTakenOut>((purse, moved, r) => purse.Moved(r, -moved.Amount))
        .Build();

    public required string Id { get; init; }

    public required long Sum { get; init; }

    public required long Movements { get; init; }

    public required long Version { get; init; }

    private PurseDocument Moved(RecordedEvent recorded, long amount) => this with { Sum = Sum + amount, Movements = Movements + 1, Version = recorded.Version };
}
