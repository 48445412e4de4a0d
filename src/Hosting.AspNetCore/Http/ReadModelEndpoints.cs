using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Primitives;
using Microsoft.OpenApi;
using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Driver;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// <c>GET /models/{name}</c>: pages of a read model, with the equality filters that an index serves and in its order, else in that of the
/// document ids; <c>GET /models/{name}/{id}</c>: one document. A consistency token makes the read wait until the model includes that write.
/// </summary>
internal static class ReadModelEndpoints
{
    public const string TokenHeader = "X-Consistency-Token";
    public const string TokenParameter = "token";

    /// <summary>All of a document but what is there for its writers.</summary>
    public static readonly BsonDocument Shown = new(DocumentVersion.Field, 0);

    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(2);
    private static readonly JsonWriterSettings Json = new() { OutputMode = JsonOutputMode.RelaxedExtendedJson };

    public static void Map(IEndpointRouteBuilder routes, NodeLifecycle lifecycle, AggregateDefinition aggregate, Examples examples,
        OperationNames names, HttpOptions options, TimeProvider time)
    {
        foreach (ProjectionDefinition projection in lifecycle.Application.Projections.Where(p =>
            lifecycle.Application.AggregatesOf(p)[0] == aggregate))
        {
            IReadOnlyList<AggregateDefinition> aggregates = lifecycle.Application.AggregatesOf(projection);
            var shape = new DocumentShape(Examples.ShapeOf(projection));
            var filters = new ServedFilters(lifecycle.Application.Indexes.Where(i => i.Projection == projection.Name), shape);
            IMongoCollection<RawBsonDocument> Collection() => lifecycle.Node.ReadModels.GetCollection<RawBsonDocument>(projection.Name);
            names.List(routes.MapGet($"/models/{projection.Name}", async (HttpContext context) =>
                {
                    PageQuery query = PageQuery.Of(context.Request.Query, filters, shape);
                    await WaitForTokens(context, lifecycle, projection, aggregates, options, time).ConfigureAwait(false);
                    return await WithinTime(context, lifecycle.Node, projection, options, time, async token =>
                    {
                        await ReadModelPage.Write(context.Response, Collection(), query, options.TokenTimeout, Json,
                            token).ConfigureAwait(false);
                        return Results.Empty;
                    }).ConfigureAwait(false);
                }), projection.Name)
                .WithTags("models").WithSummary($"Pages of {projection.Name}")
                .WithDescription($"Documents that equal all filters given, in the order of the index that has them; without filters in "
                    + $"that of their ids. Filters that can be given together: {filters.Possible}. "
                    + "A page ends early when its documents are large.")
                .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status503ServiceUnavailable).ProducesProblem(
                    StatusCodes.Status504GatewayTimeout)
                .AddOpenApiOperationTransformer((operation, _, _) =>
                {
                    PageQuery.Declare(operation, filters, shape);
                    DeclareToken(operation, aggregates);
                    operation.Answers(PageOf([examples.DocumentOf(projection)], next: null), PageQuery.SchemaOf(shape));
                    return Task.CompletedTask;
                });
            names.Document(routes.MapGet($"/models/{projection.Name}/{{**id}}", async (HttpContext context, string id) =>
                {
                    if (context.Request.Query.Keys.FirstOrDefault(k => k != TokenParameter) is { } unknown)
                        throw new InvalidInputException(unknown,
                            $"'{unknown}' is not a parameter of one document; it takes {TokenParameter}.");
                    await WaitForTokens(context, lifecycle, projection, aggregates, options, time).ConfigureAwait(false);
                    return await WithinTime(context, lifecycle.Node, projection, options, time, async token =>
                        await Collection().Find(new BsonDocument("_id", id), new FindOptions { MaxTime = options.TokenTimeout })
                            .Project<RawBsonDocument>(Shown).FirstOrDefaultAsync(token).ConfigureAwait(false) is { } found
                            ? Results.Text(found.ToJson(Json), "application/json", Encoding.UTF8)
                            : Problems.Of(StatusCodes.Status404NotFound, "not-found", $"There is no document '{id}' in {projection.Name}."))
                            .ConfigureAwait(false);
                }), projection.Name)
                .WithTags("models").WithSummary($"One document of {projection.Name}")
                .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(
                    StatusCodes.Status503ServiceUnavailable).ProducesProblem(StatusCodes.Status504GatewayTimeout)
                .AddOpenApiOperationTransformer((operation, _, _) =>
                {
                    operation.Describe("id", "The document's id.");
                    DeclareToken(operation, aggregates);
                    operation.Answers(JsonNode.Parse(examples.DocumentOf(projection).ToJson(Json))!, shape.Schema);
                    return Task.CompletedTask;
                });
        }
    }

    private static void DeclareToken(OpenApiOperation operation, IReadOnlyList<AggregateDefinition> aggregates)
    {
        string description = "The X-Consistency-Token of a write: the answer waits until the read model includes it."
            + (aggregates.Count == 1
                ? ""
                : $" Written with the aggregate type before it, as {aggregates[0].Name}:3@1042, as the events of {Named(aggregates)} are "
                    + $"read; several with commas between them.");
        operation.Declare(ParameterLocation.Query, TokenParameter, new OpenApiSchema { Type = JsonSchemaType.String }, description);
        operation.Declare(ParameterLocation.Header, TokenHeader, new OpenApiSchema { Type = JsonSchemaType.String },
            $"{description} The query parameter goes first.");
    }

    private static async Task WaitForTokens(
        HttpContext context, NodeLifecycle lifecycle, ProjectionDefinition projection, IReadOnlyList<AggregateDefinition> aggregates,
        HttpOptions options, TimeProvider time)
    {
        if (!context.Request.Query.TryGetValue(TokenParameter, out StringValues given)
            && !context.Request.Headers.TryGetValue(TokenHeader, out given))
            return;
        foreach (string token in given.ToString().Split(',', StringSplitOptions.TrimEntries))
        {
            int colon = token.IndexOf(':', StringComparison.Ordinal);
            AggregateDefinition aggregate = colon >= 0
                ? aggregates.FirstOrDefault(a => a.Name == token[..colon])
                    ?? throw new InvalidInputException(TokenParameter,
                        $"The token '{token}' is not of a write to {Named(aggregates)}, whose events {projection.Name} reads.")
                : aggregates.Count == 1 ? aggregates[0]
                : throw new InvalidInputException(TokenParameter,
                    $"{projection.Name} reads the events of {Named(aggregates)}: say of which one the token '{token}' is, as "
                        + $"in {aggregates[0].Name}:{token}.");
            await WaitForToken(context, lifecycle.PartOf(aggregate), token[(colon + 1)..], options, time).ConfigureAwait(false);
        }
    }

    private static string Named(IReadOnlyList<AggregateDefinition> aggregates) => string.Join(" and ", aggregates.Select(a => a.Name));

    private static async Task WaitForToken(HttpContext context, AggregateNode aggregate, string token, HttpOptions options,
        TimeProvider time)
    {
        var position = ConsistencyToken.Parse(token);
        if (aggregate.Processor.PartitionCount is > 0 and var partitions && position.Partition >= partitions)
            throw new InvalidInputException(TokenParameter,
                string.Create(CultureInfo.InvariantCulture,
                    $"The token {position} is of partition {position.Partition}, and there are the partitions 0 to {partitions - 1}: it "
                        + $"is not of a write to {aggregate.Definition.Name}."));
        try
        {
            await WaitForToken(aggregate.Projections!, position, options.TokenTimeout, time, context.RequestAborted).ConfigureAwait(false);
        }
        catch (TimeoutException late)
        {
            string reached = aggregate.Projections!.Positions.Of(position.Partition)?.ToString(CultureInfo.InvariantCulture)
                ?? "its start";
            throw new TimeoutException(string.Create(CultureInfo.InvariantCulture,
                $"The read model has not reached {token} within {options.TokenTimeout.TotalSeconds:N0} s; it is at {reached}. "
                    + $"Ask again, or without the token."), late);
        }
    }

    // The wait itself must end with the request's time, or it would look for ever.
    private static async Task WaitForToken(ProjectionEngine projections, ConsistencyToken position, TimeSpan timeout, TimeProvider time,
        CancellationToken aborted)
    {
        using var late = new CancellationTokenSource(timeout, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, aborted);
        try
        {
            await projections.WaitForAsync(position, stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !aborted.IsCancellationRequested)
        {
            throw new TimeoutException();
        }
    }

    // A MongoDB that is away or stands still must not hold callers: its driver waits for ever for an answer on a connection that is open.
    // One that is slow ends the query itself, in less time.
    private static async Task<IResult> WithinTime(
        HttpContext context, EventSourcedNode node, ProjectionDefinition projection, HttpOptions options, TimeProvider time,
        Func<CancellationToken, Task<IResult>> read)
    {
        using var late = new CancellationTokenSource(options.TokenTimeout + AnswerTime, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(late.Token, context.RequestAborted);
        try
        {
            if (!await node.ReadModelStore!.IsWholeAsync(projection, stop.Token).ConfigureAwait(false))
                return Problems.Unavailable(context, $"The read model {projection.Name} is being built anew from the events; ask again.");
            return await read(stop.Token).ConfigureAwait(false);
        }
        catch (Exception failed) when (context.Response.ContentType is not null
            && failed is OperationCanceledException or TimeoutException or MongoException)
        {
            context.Abort(); // half a page must not look like a whole one
            return Results.Empty;
        }
        catch (MongoExecutionTimeoutException)
        {
            return Problems.Of(StatusCodes.Status504GatewayTimeout, "query-too-slow", string.Create(CultureInfo.InvariantCulture,
                $"The query of {projection.Name} took longer than {options.TokenTimeout.TotalSeconds:N0} s and was ended. Ask for less at "
                    + $"a time, or try again when MongoDB has less to do."));
        }
        catch (Exception away) when (!context.RequestAborted.IsCancellationRequested
            && (away is OperationCanceledException or TimeoutException or MongoConnectionException or MongoNotPrimaryException
                or MongoNodeIsRecoveringException))
        {
            return Problems.Unavailable(context, "MongoDB, which has the read models, does not answer; try again.");
        }
    }

    private static JsonNode PageOf(IEnumerable<BsonDocument> documents, BsonValue? next) => JsonNode.Parse(PageText(documents, next))!;

    private static string PageText(IEnumerable<BsonDocument> documents, BsonValue? next) =>
        new BsonDocument { { "documents", new BsonArray(documents) }, { "next", next ?? BsonNull.Value } }.ToJson(Json);
}
