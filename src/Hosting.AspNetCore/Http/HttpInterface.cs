using System.Globalization;
using KafkaEventSourcing.Hosting.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Scalar.AspNetCore;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// The HTTP interface of a node: commands in, strong reads, read-model queries, OpenAPI with a page to try it, health and metrics.
/// Errors are problem details (RFC 9457).
/// </summary>
public static class HttpInterface
{
    private const int MaxBufferBytes = 64 * 1024;

    /// <summary>Makes the web application of a node that serves; the caller starts and stops it.</summary>
    public static WebApplication Create(EventSourcedNode node, HttpOptions options, ILoggerFactory loggerFactory,
        TimeProvider timeProvider) =>
        Create(options, loggerFactory, timeProvider, services => services.AddSingleton(NodeLifecycle.Of(node)));

    // Add: the lifecycle of a node that may still have to come; until then the web application is live, not ready, and refuses all that
    // needs the node.
    internal static WebApplication Create(HttpOptions options, ILoggerFactory loggers, TimeProvider time, Action<IServiceCollection> add)
    {
        options.Validate();
        // An empty builder: nothing of this process's own arguments, environment or folder decides how the node listens.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = options.MaxBodyBytes;
            kestrel.Limits.MaxRequestBufferSize = MaxBufferBytes; // what a connection takes in before anybody asks for it
            kestrel.Listen(System.Net.IPAddress.Parse(options.Host), options.Port);
        });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddLogging();
        builder.Services.AddSingleton(time);
        add(builder.Services);
        builder.Services.AddRouting();
        builder.Services.AddProblemDetails();
        builder.Services.ConfigureHttpJsonOptions(json => JsonFormat.Apply(json.SerializerOptions));
        builder.Services.AddOpenApi(openApi => openApi.AddSchemaTransformer(SingleNameEnums.Describe)
            .AddSchemaTransformer(ExactValues.Describe)
            .AddDocumentTransformer((document, context, _) =>
            {
                ApplicationDefinition application = context.ApplicationServices.GetRequiredService<NodeLifecycle>().Application;
                document.Info.Title = application.Name;
                document.Info.Description = application.Summary;
                document.Info.Version = typeof(HttpInterface).Assembly.GetName().Version?.ToString(3) ?? "0";
                return Task.CompletedTask;
            }));

        var log = new RequestLog(loggers.CreateLogger("KafkaEventSourcing.Hosting.Http"), time);
        WebApplication web = builder.Build();
        NodeLifecycle lifecycle = web.Services.GetRequiredService<NodeLifecycle>();
        // What is a fault of the node is logged by Answer; a caller's mistake is none.
        web.UseExceptionHandler(new ExceptionHandlerOptions
        {
            ExceptionHandler = context => Answer(context, context.Features.Get<IExceptionHandlerFeature>()!.Error, log, options),
            SuppressDiagnosticsCallback = _ => true,
        });
        web.UseStatusCodePages(statusCode => Problems.Of(statusCode.HttpContext).ExecuteAsync(statusCode.HttpContext));
        web.Use((context, next) =>
        {
            if (lifecycle.IsDraining)
                context.Response.Headers.Connection = "close"; // so that no caller keeps a connection that is closed in a moment
            RequestTarget.Check(context);
            return next(context);
        });
        var bodies = new BodiesInFlight(options.MaxBodyBytesInFlight);
        web.Use(bodies.Answer);
        web.UseRouting();
        web.Use((context, next) =>
        {
            RequestTarget.ReadId(context);
            return next(context);
        });
        web.MapOpenApi("/openapi.json");
        web.MapScalarApiReference("/docs", scalar => scalar.WithOpenApiRoutePattern("/openapi.json").WithTitle(lifecycle.Application.Name));
        web.MapGet("/", () => Results.Redirect("/docs")).ExcludeFromDescription();
        HealthEndpoints.Map(web, lifecycle);
        web.MapPrometheusScrapingEndpoint("/metrics", NodeMetrics.Provider, configureBranchedPipeline: null, optionsName: null);
        MapApplication(web, lifecycle, options, time);
        MapNodes(web, lifecycle);
        return web;
    }

    /// <summary>Maps what users of the application call: commands, reads of aggregates, read models.</summary>
    /// <param name="routes">Where.</param>
    /// <param name="lifecycle">The node.</param>
    /// <param name="options">The limits.</param>
    /// <param name="time">The clock.</param>
    /// <param name="isAgain">Whether it is mapped there already, below another path.</param>
    internal static void MapApplication(IEndpointRouteBuilder routes, NodeLifecycle lifecycle, HttpOptions options, TimeProvider time,
        bool isAgain = false)
    {
        var names = new OperationNames(isAgain);
        var examples = new Examples(lifecycle.Application);
        foreach (AggregateDefinition aggregate in lifecycle.Application.Aggregates)
        {
            CommandEndpoints.Map(routes, lifecycle, aggregate, examples, names, options, time);
            AggregateEndpoints.Map(routes, lifecycle, aggregate, examples, names);
            HistoryEndpoints.Map(routes, lifecycle, aggregate, examples, names);
            ReadModelEndpoints.Map(routes, lifecycle, aggregate, examples, names, options, time);
        }
    }

    /// <summary>Maps what the other nodes of the application call.</summary>
    internal static void MapNodes(IEndpointRouteBuilder routes, NodeLifecycle lifecycle)
    {
        foreach (AggregateDefinition aggregate in lifecycle.Application.Aggregates)
            NodeEndpoints.Map(routes, aggregate.Name, () => lifecycle.PartOf(aggregate));
    }

    /// <summary>Answers a request that failed with <paramref name="fault"/>, and logs it when it is the node's fault.</summary>
    internal static async Task Answer(HttpContext context, Exception fault, RequestLog log, HttpOptions options)
    {
        IResult answer = fault switch
        {
            InvalidInputException invalid => Problems.Invalid(invalid.Field, invalid.Message),
            BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } =>
                Problems.Of(StatusCodes.Status413PayloadTooLarge, "body-too-large", string.Create(CultureInfo.InvariantCulture,
                    $"The body is larger than {options.MaxBodyBytes:N0} bytes.")),
            UnsupportedBodyException unsupported => Problems.Unsupported(context, unsupported),
            BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } => Problems.NotJson(context),
            BadHttpRequestException bad => Problems.Of(bad.StatusCode, "bad-request", bad.InnerException?.Message ?? bad.Message),
            AggregateParkedException parked => Problems.Of(StatusCodes.Status423Locked, "aggregate-parked", parked.Message,
                [new("aggregateId", parked.AggregateId.Value), new("cause", parked.Cause), new("queued", parked.IsQueued)]),
            HistoryGoneException gone => Problems.Of(StatusCodes.Status410Gone, "history-gone", gone.Message,
                [new("aggregateId", gone.AggregateId.Value), new("first", gone.First), new("last", gone.Last)]),
            AggregateUnavailableException or OverloadedException => Problems.Unavailable(context, fault.Message),
            TimeoutException timeout => Problems.Of(StatusCodes.Status504GatewayTimeout, "outcome-unknown", timeout.Message),
            _ => Problems.Of(StatusCodes.Status500InternalServerError, "internal-error",
                "The node failed on this request; its log has the details."),
        };
        // a caller can have as many as it likes: a line each, and no stack trace
        if (fault is TimeoutException)
            log.TimedOut(context.Request.Method, Path(context), fault.Message);
        else if (answer is IStatusCodeHttpResult { StatusCode: >= StatusCodes.Status500InternalServerError }
            && fault is not (AggregateUnavailableException or OverloadedException))
            log.Failed(context.Request.Method, Path(context), fault);
        await answer.ExecuteAsync(context).ConfigureAwait(false);
    }

    private static string Path(HttpContext context) => PlainText.Escape(context.Request.Path.Value ?? "");
}
