using System.Globalization;
using System.Text;
using KafkaEventSourcing.EventLog;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// <c>GET /{aggregate}/{id}</c>: the state now, from the partition's owner, or what it was at a version or a time.
/// </summary>
internal static class AggregateEndpoints
{
    public static void Map(IEndpointRouteBuilder routes, NodeLifecycle lifecycle, AggregateDefinition aggregate, Examples examples,
        OperationNames names) =>
        names.Read(routes.MapGet($"/{aggregate.Name}/{{id}}", (string id, string? consistency, string? token, string? version, string? asOf,
            HttpContext context) => Read(context, lifecycle.PartOf(aggregate), id, new Asked(consistency, token, version, asOf))),
            aggregate.Name)
            .WithTags(aggregate.Name)
            .WithSummary("Read the state now, or as it was")
            .WithDescription("A strong read, the default, includes every event that was committed before it. consistency=eventual: a "
                + "state that may be a moment old, without asking Kafka whether this node still owns the aggregate. token: a state that "
                + "includes that write, from a warm copy of this node if it has come as far, else from the owner; it costs no transaction "
                + "either. version: the state after that event. asOf: the state after the newest event whose time is not later. Both are "
                + "folded from the aggregate's own events.")
            .Produces<AggregateAnswer>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status423Locked)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
            .AddOpenApiOperationTransformer((operation, _, _) =>
            {
                operation.Describe("id", "The aggregate's id, at most 256 bytes of UTF-8; a slash in it is escaped as %2F.");
                operation.Describe("consistency", "strong (default), or eventual: a state that may be a moment old.");
                operation.Describe("token", "The X-Consistency-Token of a write: the state includes it. Not together with consistency.");
                operation.Describe("version", "The version whose state is asked for, from 1 on. Alone.");
                operation.Describe("asOf", "A time as in RFC 3339, such as 2026-03-01T12:00:00Z. Alone.");
                operation.Answers(Examples.AnswerWith(examples.JsonOf(aggregate.StateType)));
                return Task.CompletedTask;
            });

    /// <summary>The consistency that a query names; strong when it names none.</summary>
    /// <exception cref="InvalidInputException">It is none.</exception>
    public static ReadConsistency ConsistencyOf(string? text) => text switch
    {
        null or "strong" => ReadConsistency.Strong,
        "eventual" => ReadConsistency.Eventual,
        _ => throw new InvalidInputException("consistency", $"consistency is '{text}'; it must be strong or eventual."),
    };

    /// <summary>The version that a query names.</summary>
    /// <exception cref="InvalidInputException">It is none.</exception>
    public static long VersionOf(string parameter, string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long version) && version >= 1
            ? version
            : throw new InvalidInputException(parameter, $"{parameter} is '{text}'; it must be a version: a whole number from 1 on.");

    private static async Task<IResult> Read(HttpContext context, AggregateNode aggregate, string id, Asked asked)
    {
        if (context.Request.Query.Keys.FirstOrDefault(k => !Asked.Names.Contains(k)) is { } unknown)
            throw new InvalidInputException(unknown,
                $"'{unknown}' is not a parameter of a read; it takes {string.Join(", ", Asked.Names[..^1])} or {Asked.Names[^1]}.");
        if (asked.Given is [var first, var second, ..])
            throw new InvalidInputException(second, $"{first} and {second} are given: a read takes one of them.");
        AggregateId aggregateId = CommandEndpoints.Of("id", () => AggregateId.Parse(id));
        AggregateView? view = await View(aggregate, aggregateId, asked, context.RequestAborted).ConfigureAwait(false);
        if (view is null)
            return Problems.Of(StatusCodes.Status404NotFound, "not-found",
                await NotFound(aggregate, aggregateId, asked, context.RequestAborted).ConfigureAwait(false));
        context.Response.Headers[ReadModelEndpoints.TokenHeader] = view.Token.ToString();
        return Results.Json(new AggregateAnswer(view.AggregateId.Value, view.Version, view.Token.ToString(), view.State),
            JsonFormat.Options);
    }

    private static ValueTask<AggregateView?> View(AggregateNode aggregate, AggregateId id, Asked asked, CancellationToken aborted) =>
        asked switch
        {
            { Version: { } version } => aggregate.Histories.ReadVersionAsync(id, VersionOf("version", version), aborted),
            { AsOf: { } time } => aggregate.Histories.ReadAsOfAsync(id, TimeOf(time), aborted),
            { Token: { } token } => aggregate.Reads.ReadAsync(id, ConsistencyToken.Parse(token), aborted),
            _ => aggregate.Reads.ReadAsync(id, ConsistencyOf(asked.Consistency), aborted),
        };

    private static async Task<string> NotFound(AggregateNode aggregate, AggregateId id, Asked asked, CancellationToken aborted)
    {
        string type = aggregate.Definition.Name;
        if ((asked.Version ?? asked.AsOf) is null
            || await aggregate.Reads.ReadHistoryAsync(id, new HistoryQuery { Limit = 1, Consistency = ReadConsistency.Eventual }, aborted)
                .ConfigureAwait(false) is not { } now)
            return $"There is no {type} '{id}'.";
        return asked.Version is { } version
            ? $"There is no version {version} of the {type} '{id}'; it has come to {now.Version}."
            : $"There was no {type} '{id}' at {asked.AsOf}; its first event is of {now.Entries[0].Time:yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'}.";
    }

    private static DateTimeOffset TimeOf(string text) =>
        CloudEventHeaders.TryDecodeTime(Encoding.UTF8.GetBytes(text), out DateTimeOffset time)
            ? time
            : throw new InvalidInputException("asOf",
                $"asOf is '{text}'; it must be a time as in RFC 3339, such as 2026-03-01T12:00:00Z (a "
                + "plus sign in a URL is escaped as %2B).");

    // What a read is asked for: one of them, or none.
    private sealed record Asked(string? Consistency, string? Token, string? Version, string? AsOf)
    {
        public static readonly string[] Names = ["consistency", "token", "version", "asOf"];

        public string[] Given => [.. Names.Zip((string?[])[Consistency, Token, Version, AsOf]).Where(n => n.Second is not null)
            .Select(n => n.First)];
    }
}

/// <summary>One aggregate as the HTTP interface returns it.</summary>
internal sealed record AggregateAnswer(string Id, long Version, string Token, object State);
