using KafkaEventSourcing.Projections;

namespace AppNamespace;

/// <summary>A document of the read model, one a basket.</summary>
public sealed record BasketDocument
{
    public required string Id { get; init; }

    public required long Quantity { get; init; }

    public required bool IsCheckedOut { get; init; }
}

/// <summary>The baskets as queries see them.</summary>
public static class Baskets
{
    public static ProjectionDefinition Definition { get; } = ProjectionDefinition.Define<BasketDocument>("baskets")
        .Folds<ItemAdded>((_, e) => e.AggregateId.Value, (basket, added, e) =>
        {
            BasketDocument before = basket ?? new BasketDocument { Id = e.AggregateId.Value, Quantity = 0, IsCheckedOut = false };
            return before with { Quantity = before.Quantity + added.Quantity };
        })
        .Folds<CheckedOut>((_, e) => e.AggregateId.Value, (basket, _, _) => basket! with { IsCheckedOut = true })
        .Build();
}
