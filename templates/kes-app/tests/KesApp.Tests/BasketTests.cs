using KafkaEventSourcing.Testing;
using Xunit;

namespace AppNamespace.Tests;

public sealed class BasketTests
{
    private static readonly ItemAdded ThreeBolts = new() { Product = "bolts", Quantity = 3 };

    [Fact]
    public void Items_are_added() => Scenario.Of(Basket.Definition)
        .When(new AddItem { Product = "bolts", Quantity = 3 })
        .Then(ThreeBolts);

    [Fact]
    public void What_is_checked_out_is_all_that_was_added() => Scenario.Of(Basket.Definition)
        .Given(ThreeBolts, new ItemAdded { Product = "nuts", Quantity = 2 })
        .When(new CheckOut())
        .Then(new CheckedOut { Quantity = 5 });

    [Fact]
    public void An_empty_basket_is_not_checked_out() => Scenario.Of(Basket.Definition)
        .When(new CheckOut())
        .ThenRejected("empty");

    [Fact]
    public void A_basket_that_is_checked_out_takes_nothing_more() => Scenario.Of(Basket.Definition)
        .Given(ThreeBolts, new CheckedOut { Quantity = 3 })
        .When(new AddItem { Product = "nuts", Quantity = 2 })
        .ThenRejected("checked-out");
}
