using System.Globalization;
using System.Text;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Driver;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// <c>GET /models/{name}</c>: pages of a read model, in the order of the document ids, with equality filters on indexed fields; <c>GET /models/{name}/{id}</c>: one
/// document. A consistency token makes the read wait until the model includes that write.
/// </summary>
internal static class ReadModelEndpoints
{
    public const string TokenHeader = "X-Consistency-Token";

    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;

    private static readonly JsonWriterSettings Json = new() { OutputMode = JsonOutputMode.RelaxedExtendedJson };

    public static void Map(IEndpointRouteBuilder routes, EventSourcedNode node, AggregateNode aggregate, HttpOptions options, TimeProvider time)
    {
        foreach (ProjectionDefinition projection in aggregate.Projections?.Projections ?? [])
        {
            HashSet<string> filters = [.. node.Application.Indexes.Where(i => i.Projection == projection.Name).SelectMany(i => i.Fields).Select(f => f.TrimStart('-'))];
            IMongoCollection<BsonDocument> collection = node.ReadModels.GetCollection<BsonDocument>(projection.Name);
            routes.MapGet($"/models/{projection.Name}", async (HttpContext context, int? limit, string? after, string? token) =>
                {
                    await WaitForToken(context, aggregate, token, options, time).ConfigureAwait(false);
                    return await Page(context, collection, filters, limit, after).ConfigureAwait(false);
                })
                .WithName($"{projection.Name}-list").WithTags("models").WithSummary($"Pages of {projection.Name}")
                .WithDescription($"Filters by equality: {(filters.Count == 0 ? "none" : string.Join(", ", filters))}. limit: 1 to {MaxLimit}, default {DefaultLimit}. after: the 'next' of the page before. token: wait for that write.")
                .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status504GatewayTimeout);
            routes.MapGet($"/models/{projection.Name}/{{**id}}", async (HttpContext context, string id, string? token) =>
                {
                    await WaitForToken(context, aggregate, token, options, time).ConfigureAwait(false);
                    BsonDocument? found = await collection.Find(new BsonDocument("_id", id)).FirstOrDefaultAsync(context.RequestAborted).ConfigureAwait(false);
                    return found is null
                        ? Problems.Of(StatusCodes.Status404NotFound, "not-found", $"There is no document '{id}' in {projection.Name}.")
                        : Results.Text(found.ToJson(Json), "application/json", Encoding.UTF8);
                })
                .WithName($"{projection.Name}-one").WithTags("models").WithSummary($"One document of {projection.Name}")
                .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status504GatewayTimeout);
        }
    }

    private static async Task WaitForToken(HttpContext context, AggregateNode aggregate, string? token, HttpOptions options, TimeProvider time)
    {
        if (token is null && context.Request.Headers.TryGetValue(TokenHeader, out var header))
            token = header.ToString();
        if (token is null)
            return;

        var position = ConsistencyToken.Parse(token);
        try
        {
            await aggregate.Projections!.Positions.WaitFor(position, context.RequestAborted).WaitAsync(options.TokenTimeout, time, context.RequestAborted).ConfigureAwait(false);
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException(string.Create(CultureInfo.InvariantCulture,
                $"The read model has not reached {token} within {options.TokenTimeout.TotalSeconds:N0} s; it is at {aggregate.Projections!.Positions.Of(position.Partition)?.ToString(CultureInfo.InvariantCulture) ?? "its start"}. Ask again, or without the token."), late);
        }
    }

    private static async Task<IResult> Page(HttpContext context, IMongoCollection<BsonDocument> collection, HashSet<string> filters, int? limit, string? after)
    {
        int size = limit ?? DefaultLimit;
        if (size is < 1 or > MaxLimit)
            throw new InvalidInputException("limit", $"limit is {size}; it must be from 1 to {MaxLimit}.");

        var conditions = new BsonDocument();
        foreach ((string name, var values) in context.Request.Query)
        {
            if (name is "limit" or "after" or "token")
                continue;
            if (!filters.Contains(name))
                throw new InvalidInputException(name, $"'{name}' is not a filter of this read model; it has {(filters.Count == 0 ? "none" : string.Join(", ", filters.Order(StringComparer.Ordinal)))}.");
            conditions.Add(name, ValueOf(values.ToString()));
        }

        if (after is not null)
            conditions.Add("_id", new BsonDocument("$gt", after));

        List<BsonDocument> documents = await collection.Find(conditions).Sort(new BsonDocument("_id", 1)).Limit(size + 1).ToListAsync(context.RequestAborted).ConfigureAwait(false);
        bool more = documents.Count > size;
        if (more)
            documents.RemoveAt(size);
        var page = new BsonDocument
        {
            { "documents", new BsonArray(documents) },
            { "next", more ? documents[^1]["_id"] : BsonNull.Value },
        };
        return Results.Text(page.ToJson(Json), "application/json", Encoding.UTF8);
    }

    // A date in a URL means that day, which is how documents keep it; everything else is compared as text.
    private static BsonValue ValueOf(string text) =>
        DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly day)
            ? new BsonDateTime(day.ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc))
            : text;
}
