using System.Net.Http.Json;
using KafkaEventSourcing.Subscriptions;

namespace Orders;

/// <summary>
/// Asks a web service to send what was ordered; made anew for each attempt. At least once: the order's id is the key by which the web
/// service knows a parcel that it has already. A call that fails is tried again; after the fifth time the order is parked for this
/// subscription (<c>kes subscriptions list</c>), and the others go on.
/// </summary>
public sealed class ParcelSender(HttpClient shipping) : ISubscriptionHandler<OrderConfirmed>
{
    public async Task HandleAsync(OrderConfirmed confirmed, EventContext context, CancellationToken cancellationToken)
    {
        string order = context.Event.AggregateId.Value;
        using var request = new HttpRequestMessage(HttpMethod.Post, "")
        {
            Content = JsonContent.Create(new { order, confirmed.Goods, confirmed.Quantity, confirmed.Address }),
        };
        request.Headers.Add("Idempotency-Key", order);
        using HttpResponseMessage response = await shipping.SendAsync(request, cancellationToken);
        response.EnsureSuccessStatusCode();
    }
}
