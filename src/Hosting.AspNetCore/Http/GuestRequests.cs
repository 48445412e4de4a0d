using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// What the HTTP interface does around each of its endpoints in an application of the user's: its limits, the reading of ids, and its
/// answers to faults. It is part of the endpoints, not of the pipeline, so that the application's other endpoints do not change.
/// </summary>
internal sealed class GuestRequests(NodeLifecycle lifecycle, HttpOptions options, RequestLog log)
{
    // of the answer that did not come
    private static readonly string[] OfBody = ["Content-Type", "Content-Length", "Content-Encoding", "ETag", "Last-Modified",
        ReadModelEndpoints.TokenHeader];

    private readonly BodiesInFlight _bodies = new(options.MaxBodyBytesInFlight);

    /// <summary>Puts it around the endpoints of <paramref name="group"/>.</summary>
    public void Surround(IEndpointConventionBuilder group) => group.Add(endpoint =>
    {
        RequestDelegate answer = endpoint.RequestDelegate!;
        endpoint.RequestDelegate = context => Answer(context, answer);
    });

    private async Task Answer(HttpContext context, RequestDelegate answer)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = options.MaxBodyBytes;
        try
        {
            RequestTarget.Check(context);
            RequestTarget.ReadId(context);
            await _bodies.Answer(context, answer).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            throw; // nobody waits for an answer
        }
        catch (Exception fault) when (!context.Response.HasStarted)
        {
            // What the application has set, as headers of security, is its own and stays.
            if (context.Response.Body.CanSeek)
                context.Response.Body.SetLength(0);
            foreach (string ofBody in OfBody)
                context.Response.Headers.Remove(ofBody);
            if (lifecycle.IsDraining)
                context.Response.Headers.Connection = "close";
            await HttpInterface.Answer(context, fault, log, options).ConfigureAwait(false);
        }
    }
}
