using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using KafkaEventSourcing.EventLog;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary><c>GET /{aggregate}/{id}/events</c>: pages of the events of one aggregate, from the partition's owner.</summary>
internal static class HistoryEndpoints
{
    private const string Ascending = "asc";
    private const string Descending = "desc";
    private static readonly string[] Parameters = ["from", "limit", "order", "consistency", "state"];

    public static void Map(IEndpointRouteBuilder routes, NodeLifecycle lifecycle, AggregateDefinition aggregate, Examples examples,
        OperationNames names) =>
        names.History(routes.MapGet($"/{aggregate.Name}/{{id}}/events",
            (string id, string? from, string? limit, string? order, string? consistency, string? state, HttpContext context) =>
                Read(context, lifecycle.PartOf(aggregate), id, QueryOf(from, limit, order, consistency), StateOf(state))), aggregate.Name)
            .WithTags(aggregate.Name)
            .WithSummary("Read the events")
            .WithDescription("A page of the aggregate's events in the order of their versions, or the newest first. next is the URL of the "
                + "next page, which the Link header has too; null: this is the last. A page ends early when its events are large. What an "
                + "event is upcast to is shown as the code of today has it: several with one version, or none.")
            .Produces<HistoryAnswer>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status410Gone)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
            .AddOpenApiOperationTransformer((operation, _, _) =>
            {
                operation.Describe("id", "The aggregate's id, at most 256 bytes of UTF-8; a slash in it is escaped as %2F.");
                operation.Describe("from", "The version that the page begins with. Default: the first, or the newest where order is desc.");
                operation.Describe("limit", $"The most versions of a page, from 1 to {HistoryQuery.MaxLimit}. Default 100.");
                operation.Describe("order", "asc (default), or desc: the newest first.");
                operation.Describe("consistency", "strong (default), or eventual: without asking Kafka whether this node still owns the "
                    + "aggregate.");
                operation.Describe("state", "true: with the state after each event. Default false.");
                operation.Answers(examples.HistoryOf(aggregate));
                return Task.CompletedTask;
            });

    private static async Task<IResult> Read(HttpContext context, AggregateNode aggregate, string id, HistoryQuery query, bool withState)
    {
        if (context.Request.Query.Keys.FirstOrDefault(k => !Parameters.Contains(k)) is { } unknown)
            throw new InvalidInputException(unknown,
                $"'{unknown}' is not a parameter of a history; it takes {string.Join(", ", Parameters[..^1])} or {Parameters[^1]}.");
        AggregateId aggregateId = CommandEndpoints.Of("id", () => AggregateId.Parse(id));
        HistoryPage? page = await aggregate.Reads.ReadHistoryAsync(aggregateId, query, context.RequestAborted).ConfigureAwait(false);
        if (page is null)
            return Problems.Of(StatusCodes.Status404NotFound, "not-found", $"There is no {aggregate.Definition.Name} '{id}'.");
        IReadOnlyDictionary<long, object>? states = withState
            ? await StatesOf(aggregate.Histories, aggregate.Definition.InitialState, page, context.RequestAborted).ConfigureAwait(false)
            : null;
        string? next = page.Next is { } from ? NextOf(context.Request, from) : null;
        if (next is not null)
            context.Response.Headers.Link = $"<{next}>; rel=\"next\"";
        context.Response.Headers[ReadModelEndpoints.TokenHeader] = page.Token.ToString();
        return Results.Json(
            new HistoryAnswer(page.AggregateId.Value, page.Version, page.Token.ToString(),
                [.. page.Entries.SelectMany(e => EventsOf(aggregate, e, states?[e.Version]))], next),
            JsonFormat.Options);
    }

    // The states after the versions of a page; those before it are read and folded too.
    private static async Task<IReadOnlyDictionary<long, object>> StatesOf(AggregateHistory histories, object state, HistoryPage page,
        CancellationToken cancellationToken)
    {
        HistoryEntry[] entries = [.. page.Entries.OrderBy(e => e.Version)];
        var states = new Dictionary<long, object>();
        if (entries.Length == 0)
            return states;
        await foreach (HistoryEntry before in histories.EntriesAsync(page.AggregateId, 1, entries[0].Version - 1, cancellationToken)
            .ConfigureAwait(false))
            state = histories.Evolve(state, before);
        foreach (HistoryEntry entry in entries)
            states[entry.Version] = state = histories.Evolve(state, entry);
        return states;
    }

    private static IEnumerable<HistoryEvent> EventsOf(AggregateNode aggregate, HistoryEntry entry, object? state)
    {
        string time = Encoding.UTF8.GetString(CloudEventHeaders.Encode(entry.Time));
        var shown = new HistoryEvent(entry.Version, time, null, entry.CommandId.Value, entry.CorrelationId, entry.Token.ToString(), null)
        {
            Discarded = entry.IsDiscarded ? true : null,
            State = state,
        };
        return entry.Events.Count == 0 ? [shown] : entry.Events.Select(e => shown with
        {
            Type = aggregate.Codec.TypeNameOf(e.Payload),
            Event = e.Payload,
            Part = e.Parts > 1 ? e.Part : null,
            State = e.Part == e.Parts - 1 ? state : null,
        });
    }

    private static string NextOf(HttpRequest request, long from) =>
        request.PathBase.ToUriComponent() + request.Path.ToUriComponent() + QueryString.Create(
            [new("from", from.ToString(CultureInfo.InvariantCulture)),
                .. request.Query.Where(q => q.Key != "from").Select(q => new KeyValuePair<string, string?>(q.Key, q.Value.ToString()))]);

    private static HistoryQuery QueryOf(string? from, string? limit, string? order, string? consistency)
    {
        var query = new HistoryQuery
        {
            From = from is null ? null : AggregateEndpoints.VersionOf("from", from),
            IsDescending = order switch
            {
                null or Ascending => false,
                Descending => true,
                _ => throw new InvalidInputException("order", $"order is '{order}'; it must be {Ascending} or {Descending}."),
            },
            Consistency = AggregateEndpoints.ConsistencyOf(consistency),
        };
        return limit is null ? query
            : int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out int most)
                && most is >= 1 and <= HistoryQuery.MaxLimit
            ? query with { Limit = most }
            : throw new InvalidInputException("limit", $"limit is '{limit}'; it must be a whole number from 1 to {HistoryQuery.MaxLimit}.");
    }

    private static bool StateOf(string? text) => text switch
    {
        null or "false" => false,
        "true" => true,
        _ => throw new InvalidInputException("state", $"state is '{text}'; it must be true or false."),
    };
}

/// <summary>A page of a history as the HTTP interface returns it.</summary>
internal sealed record HistoryAnswer(string Id, long Version, string Token, IReadOnlyList<HistoryEvent> Events, string? Next);

/// <summary>One event of it.</summary>
/// <param name="Version">The aggregate's version after it.</param>
/// <param name="Time">When its command was created, RFC 3339 in UTC, as asOf takes it.</param>
/// <param name="Type">The full name of its Avro type; null: it is read as no event.</param>
/// <param name="CommandId">The command that caused it.</param>
/// <param name="CorrelationId">What it is correlated with.</param>
/// <param name="Token">Its position.</param>
/// <param name="Event">What it says.</param>
internal sealed record HistoryEvent(long Version, string Time, string? Type, string CommandId, string? CorrelationId, string Token,
    object? Event)
{
    /// <summary>Of several that one event of the log is upcast to, which; else left out.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? Part { get; init; }

    /// <summary>Whether an operator has discarded it; else left out.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public bool? Discarded { get; init; }

    /// <summary>The state after it, where it was asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public object? State { get; init; }
}
