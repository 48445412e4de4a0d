using KafkaEventSourcing.Hosting.Health;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// <c>/health/live</c>: the process works, whatever its servers do. <c>/health/ready</c> (and <c>/health</c>): the node can decide and
/// answer now (200), with what somebody should look at, or cannot (503), with the reason.
/// </summary>
internal static class HealthEndpoints
{
    public static void Map(IEndpointRouteBuilder routes, NodeLifecycle lifecycle)
    {
        routes.MapGet("/health/live", (Delegate)(() => Results.Json(new { status = "live" }, JsonFormat.Options))).ExcludeFromDescription();
        foreach (string path in (string[])["/health", "/health/ready"])
            routes.MapGet(path, (Delegate)((HttpContext context) => Ready(context, lifecycle))).ExcludeFromDescription();
    }

    private static IResult Ready(HttpContext context, NodeLifecycle lifecycle)
    {
        context.Response.Headers.CacheControl = "no-store, no-cache";
        HealthReport report = lifecycle.Report();
        return Results.Json(report, JsonFormat.Options,
            statusCode: report.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }
}
