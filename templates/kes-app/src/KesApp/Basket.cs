using KafkaEventSourcing;

namespace AppNamespace;

/// <summary>The rules of a basket: pure functions, without clock or I/O.</summary>
public static class Basket
{
    public static AggregateDefinition<BasketState> Definition { get; } = AggregateDefinition.Define("basket",
        new BasketState { Quantity = 0, IsCheckedOut = false })
        .Decides<AddItem>((basket, add) => basket.IsCheckedOut
            ? Decision.Reject("checked-out", "The basket is checked out already.")
            : add.Quantity > 0
                ? Decision.Accept(new ItemAdded { Product = add.Product, Quantity = add.Quantity })
                : Decision.Reject("invalid-quantity", $"The quantity is {add.Quantity}; it must be positive."))
        .Decides<CheckOut>((basket, _) => basket switch
        {
            { IsCheckedOut: true } => Decision.Reject("checked-out", "The basket is checked out already."),
            { Quantity: 0 } => Decision.Reject("empty", "There is nothing in the basket."),
            _ => Decision.Accept(new CheckedOut { Quantity = basket.Quantity }),
        })
        .Evolves<ItemAdded>((basket, added) => basket with { Quantity = basket.Quantity + added.Quantity })
        .Evolves<CheckedOut>((basket, _) => basket with { IsCheckedOut = true })
        .Build();
}
