using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary><c>GET /{aggregate}/{id}</c>: the state now, from the partition's owner.</summary>
internal static class AggregateEndpoints
{
    public static void Map(IEndpointRouteBuilder routes, AggregateNode aggregate, Examples examples) =>
        routes.MapGet($"/{aggregate.Definition.Name}/{{id}}", (string id, HttpContext context) => Read(context, aggregate, id))
            .WithName($"{aggregate.Definition.Name}-read")
            .WithTags(aggregate.Definition.Name)
            .WithSummary("Read the state now")
            .WithDescription("A strong read: it includes every event that was committed before it.")
            .Produces<AggregateAnswer>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status423Locked)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
            .AddOpenApiOperationTransformer((operation, _, _) =>
            {
                operation.Describe("id", "The aggregate's id, at most 256 bytes of UTF-8; a slash in it is escaped as %2F.");
                operation.Answers(Examples.AnswerWith(examples.JsonOf(aggregate.Definition.StateType)));
                return Task.CompletedTask;
            });

    private static async Task<IResult> Read(HttpContext context, AggregateNode aggregate, string id)
    {
        AggregateView? view = await aggregate.Processor.Read(AggregateId.Parse(id), context.RequestAborted).ConfigureAwait(false);
        if (view is null)
            return Problems.Of(StatusCodes.Status404NotFound, "not-found", $"There is no {aggregate.Definition.Name} '{id}'.");
        context.Response.Headers[ReadModelEndpoints.TokenHeader] = view.Token.ToString();
        return Results.Json(new AggregateAnswer(view.AggregateId.Value, view.Version, view.Token.ToString(), view.State), JsonFormat.Options);
    }
}

/// <summary>One aggregate as the HTTP interface returns it.</summary>
internal sealed record AggregateAnswer(string Id, long Version, string Token, object State);
