using KafkaEventSourcing;

namespace Orders;

/// <summary>An order, as a process: its events cause commands to the stock, and what becomes of those comes back as a command.</summary>
public static class Order
{
    private const string Reserve = "reserve";

    public static AggregateDefinition<OrderState> Definition { get; } = AggregateDefinition
        .Define("order", new OrderState { Status = OrderStatus.None, Goods = "", Quantity = 0, Address = "" })
        .Decides<PlaceOrder>(Place)
        .Decides<CommandCompleted>((order, completed) => (order.Status, completed) switch
        {
            (OrderStatus.Placed, { IsAccepted: true }) =>
                Decision.Accept(new OrderConfirmed { Goods = order.Goods, Quantity = order.Quantity, Address = order.Address }),
            (OrderStatus.Placed, _) => Decision.Accept(new OrderRefused { Reason = completed.Message }),
            _ => Decision.Nothing,
        })
        .Evolves<OrderPlaced>((_, placed) =>
            new OrderState { Status = OrderStatus.Placed, Goods = placed.Goods, Quantity = placed.Quantity, Address = placed.Address })
        .Evolves<OrderConfirmed>((order, _) => order with { Status = OrderStatus.Confirmed })
        .Evolves<OrderRefused>((order, _) => order with { Status = OrderStatus.Refused })
        .Reacts<OrderPlaced>((_, placed) =>
            Reaction.None.Send(Reserve, AggregateId.Parse(placed.Goods), new ReserveGoods { Quantity = placed.Quantity }))
        .Build();

    private static Decision Place(OrderState order, PlaceOrder place)
    {
        if (order.Status != OrderStatus.None)
            return Decision.Reject("already-placed", "The order was placed already; another one needs another id.");
        if (!AggregateId.TryParse(place.Goods, out _, out string? error))
            return Decision.Reject("invalid-goods", $"The goods have no such name: {error}");
        return place.Quantity > 0
            ? Decision.Accept(new OrderPlaced { Goods = place.Goods, Quantity = place.Quantity, Address = place.Address })
            : Decision.Reject("invalid-quantity", $"{place.Quantity} cannot be ordered.");
    }
}
