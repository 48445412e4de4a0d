using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary><c>GET /{aggregate}/{id}</c>: the state now, from the partition's owner.</summary>
internal static class AggregateEndpoints
{
    public static void Map(IEndpointRouteBuilder routes, NodeLifecycle lifecycle, AggregateDefinition aggregate, Examples examples,
        OperationNames names) =>
        names.Read(routes.MapGet($"/{aggregate.Name}/{{id}}", (string id, string? consistency, string? token, HttpContext context) =>
            Read(context, lifecycle.PartOf(aggregate), id, consistency, token)), aggregate.Name)
            .WithTags(aggregate.Name)
            .WithSummary("Read the state now")
            .WithDescription("A strong read, the default, includes every event that was committed before it. consistency=eventual: a "
                + "state that may be a moment old, without asking Kafka whether this node still owns the aggregate. token: a state that "
                + "includes that write, from a warm copy of this node if it has come as far, else from the owner; it costs no transaction "
                + "either.")
            .Produces<AggregateAnswer>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status423Locked)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
            .AddOpenApiOperationTransformer((operation, _, _) =>
            {
                operation.Describe("id", "The aggregate's id, at most 256 bytes of UTF-8; a slash in it is escaped as %2F.");
                operation.Describe("consistency", "strong (default), or eventual: a state that may be a moment old.");
                operation.Describe("token", "The X-Consistency-Token of a write: the state includes it. Not together with consistency.");
                operation.Answers(Examples.AnswerWith(examples.JsonOf(aggregate.StateType)));
                return Task.CompletedTask;
            });

    private static async Task<IResult> Read(HttpContext context, AggregateNode aggregate, string id, string? consistency, string? token)
    {
        if (context.Request.Query.Keys.FirstOrDefault(k => k is not ("consistency" or "token")) is { } unknown)
            throw new InvalidInputException(unknown, $"'{unknown}' is not a parameter of a read; it takes consistency or token.");
        if (token is not null && consistency is not null)
            throw new InvalidInputException("token", "token and consistency are given: a read takes one of them.");
        AggregateId aggregateId = CommandEndpoints.Of("id", () => AggregateId.Parse(id));
        ValueTask<AggregateView?> reading = token is null
            ? aggregate.Reads.ReadAsync(aggregateId, ConsistencyOf(consistency), context.RequestAborted)
            : aggregate.Reads.ReadAsync(aggregateId, ConsistencyToken.Parse(token), context.RequestAborted);
        AggregateView? view = await reading.ConfigureAwait(false);
        if (view is null)
            return Problems.Of(StatusCodes.Status404NotFound, "not-found", $"There is no {aggregate.Definition.Name} '{id}'.");
        context.Response.Headers[ReadModelEndpoints.TokenHeader] = view.Token.ToString();
        return Results.Json(new AggregateAnswer(view.AggregateId.Value, view.Version, view.Token.ToString(), view.State),
            JsonFormat.Options);
    }

    private static ReadConsistency ConsistencyOf(string? text) => text switch
    {
        null or "strong" => ReadConsistency.Strong,
        "eventual" => ReadConsistency.Eventual,
        _ => throw new InvalidInputException("consistency", $"consistency is '{text}'; it must be strong or eventual."),
    };
}

/// <summary>One aggregate as the HTTP interface returns it.</summary>
internal sealed record AggregateAnswer(string Id, long Version, string Token, object State);
