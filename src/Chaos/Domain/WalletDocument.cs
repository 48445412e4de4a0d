using KafkaEventSourcing.Projections;

namespace KafkaEventSourcing.Chaos.Domain;

/// <summary>A wallet as its read model has it: a movement that was projected twice, or not, shows in its count and its sum.</summary>
internal sealed record WalletDocument
{
    public static ProjectionDefinition<WalletDocument> Projection { get; } = ProjectionDefinition.Define<WalletDocument>("wallets")
        .Initially(id => new WalletDocument { Id = id, Sum = 0, Movements = 0, Version = 0 })
        .Changes<MoneyPutIn>((wallet, moved, r) => wallet.Moved(r, moved.Amount))
        .Changes<MoneyTakenOut>((wallet, moved, r) => wallet.Moved(r, -moved.Amount))
        .Build();

    public required string Id { get; init; }

    public required long Sum { get; init; }

    public required long Movements { get; init; }

    public required long Version { get; init; }

    private WalletDocument Moved(RecordedEvent recorded, long amount) =>
        this with { Sum = Sum + amount, Movements = Movements + 1, Version = recorded.Version };
}
