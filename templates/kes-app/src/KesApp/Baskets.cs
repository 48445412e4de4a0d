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
    public static ProjectionDefinition<BasketDocument> Definition { get; } = ProjectionDefinition.Define<BasketDocument>("baskets")
        .Initially(id => new BasketDocument { Id = id, Quantity = 0, IsCheckedOut = false })
        .Changes<ItemAdded>((basket, added) => basket with { Quantity = basket.Quantity + added.Quantity })
        .Changes<CheckedOut>((basket, _) => basket with { IsCheckedOut = true })
        .Index(basket => basket.IsCheckedOut)
        .Build();
}
