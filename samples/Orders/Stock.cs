using KafkaEventSourcing;

namespace Orders;

/// <summary>The stock of one kind of goods.</summary>
public static class Stock
{
    public static AggregateDefinition<StockState> Definition { get; } = AggregateDefinition
        .Define("stock", new StockState { OnHand = 0 })
        .Decides<StockGoods>((_, stock) => stock.Quantity > 0
            ? Decision.Accept(new GoodsStocked { Quantity = stock.Quantity })
            : Decision.Reject("invalid-quantity", $"{stock.Quantity} cannot be put into stock."))
        .Decides<ReserveGoods>((state, reserve) => reserve.Quantity <= state.OnHand
            ? Decision.Accept(new GoodsReserved { Quantity = reserve.Quantity })
            : Decision.Reject("not-in-stock", $"{reserve.Quantity} are ordered, {state.OnHand} are there.", ("onHand", state.OnHand)))
        .Evolves<GoodsStocked>((state, stocked) => state with { OnHand = state.OnHand + stocked.Quantity })
        .Evolves<GoodsReserved>((state, reserved) => state with { OnHand = state.OnHand - reserved.Quantity })
        .Build();
}
