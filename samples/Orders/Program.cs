// A process and a subscription: an order reserves goods of the stock, and once they are reserved a web service is asked to send them.
//
//   SHIPPING_URL=http://localhost:9000/parcels dotnet run --project samples/Orders -c Release -- run
//   curl localhost:8080/stock/tea/stock-goods --json '{"quantity":10}'
//   curl localhost:8080/order/o1/place-order --json '{"goods":"tea","quantity":2,"address":"Prague"}'
//   curl localhost:8080/order/o1
using System.Net.Http.Json;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using KafkaEventSourcing.Subscriptions;
using Orders;

using var http = new HttpClient();
string shipping = Environment.GetEnvironmentVariable("SHIPPING_URL") ?? "http://localhost:9000/parcels";

// At least once: the order's id is the key by which the web service knows a parcel that it has already. A call that fails is tried again;
// after the fifth time the order is parked for this subscription ('kes subscriptions list'), and the others go on.
SubscriptionDefinition shipper = Subscription.Named("shipper")
    .From(Order.Definition)
    .On<OrderConfirmed>(async (confirmed, context, cancellationToken) =>
    {
        string order = context.Event.AggregateId.Value;
        using var request = new HttpRequestMessage(HttpMethod.Post, shipping)
        {
            Content = JsonContent.Create(new { order, confirmed.Goods, confirmed.Quantity, confirmed.Address }),
        };
        request.Headers.Add("Idempotency-Key", order);
        using HttpResponseMessage response = await http.SendAsync(request, cancellationToken);
        response.EnsureSuccessStatusCode();
    })
    .Build();

return await EventSourcedApplication.Named("orders", "Orders of goods that are in stock.")
    .With(Stock.Definition)
    .With(Order.Definition)
    .With(shipper)
    .WithEmbeddedServers()
    .RunAsync(args);
