// A process and a subscription: an order reserves goods of the stock, and once they are reserved a web service is asked to send them.
//
//   SHIPPING_URL=http://localhost:9000/parcels dotnet run --project samples/Orders -c Release -- run
//   curl localhost:8080/stock/tea/stock-goods --json '{"quantity":10}'
//   curl localhost:8080/order/o1/place-order --json '{"goods":"tea","quantity":2,"address":"Prague"}'
//   curl localhost:8080/order/o1
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using KafkaEventSourcing.Subscriptions;
using Microsoft.Extensions.DependencyInjection;
using Orders;

string shipping = Environment.GetEnvironmentVariable("SHIPPING_URL") ?? "http://localhost:9000/parcels";

SubscriptionDefinition shipper = Subscription.Named("shipper")
    .From(Order.Definition)
    .On<OrderConfirmed, ParcelSender>()
    .Build();

return await EventSourcedApplication.Named("orders", "Orders of goods that are in stock.")
    .With(Stock.Definition)
    .With(Order.Definition)
    .With(shipper)
    .WithServices(services => services.AddHttpClient<ParcelSender>(http => http.BaseAddress = new Uri(shipping)))
    .WithEmbeddedServers()
    .RunAsync(args);
