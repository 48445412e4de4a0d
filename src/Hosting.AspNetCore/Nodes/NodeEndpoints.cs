using System.Globalization;
using System.Text;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.Http;
using KafkaEventSourcing.Processing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace KafkaEventSourcing.Hosting.Nodes;

/// <summary>
/// Where other nodes ask this one: it decides and reads for the partitions that it owns. For others it answers 421 with the owner that it
/// knows, for those that do not serve yet 503, and 429 when too much waits.
/// </summary>
internal sealed class NodeEndpoints(AggregateNode node)
{
    private const string RetryAfterSeconds = "1";

    private readonly CommandProcessor _processor = node.Processor;
    private readonly OwnerDirectory _owners = node.Owners;
    private readonly NodeCodec _codec = node.Codec;
    private readonly AggregateReads _reads = node.Reads;
    private readonly NodeSecret? _secret = node.Secret;

    /// <summary>Maps the paths; <paramref name="node"/> is asked at each request.</summary>
    public static void Map(IEndpointRouteBuilder routes, string aggregate, Func<AggregateNode> node)
    {
        routes.MapPost(NodeProtocol.CommandsPath(aggregate),
            (Delegate)((HttpContext context) => Commands(new NodeEndpoints(node()), context))).ExcludeFromDescription();
        routes.MapGet(NodeProtocol.StatePath(aggregate), (Delegate)((HttpContext context) => States(new NodeEndpoints(node()), context)))
            .ExcludeFromDescription();
        routes.MapGet(NodeProtocol.EventsPath(aggregate), (Delegate)((HttpContext context) => Events(new NodeEndpoints(node()), context)))
            .ExcludeFromDescription();
    }

    private static Task<IResult> Commands(NodeEndpoints endpoints, HttpContext context) => endpoints.Guarded(context, endpoints.Decide);

    private static Task<IResult> States(NodeEndpoints endpoints, HttpContext context) => endpoints.Guarded(context, endpoints.Read);

    private static Task<IResult> Events(NodeEndpoints endpoints, HttpContext context) => endpoints.Guarded(context, endpoints.ReadHistory);

    private async Task<IResult> Guarded(HttpContext context, Func<HttpContext, AggregateId, Task<IResult>> answer)
    {
        if (_secret is not null && !_secret.IsShownBy(context.Request.Headers.Authorization))
            return Problems.Of(StatusCodes.Status401Unauthorized, "not-a-node",
                "This path is for nodes of the application, which show their --node-secret in the Authorization header.");
        string by = Header(context, NodeProtocol.ForwardedBy) ?? throw Missing(NodeProtocol.ForwardedBy);
        var id = AggregateId.Parse(Header(context, NodeProtocol.AggregateId) ?? throw Missing(NodeProtocol.AggregateId));
        // Two nodes advertise one address: without this a node would ask itself for ever.
        if (by == _processor.NodeId)
            return Misdirected(context, _processor.PartitionOf(id));
        try
        {
            return await answer(context, id).ConfigureAwait(false);
        }
        catch (AggregateParkedException parked)
        {
            context.Response.StatusCode = StatusCodes.Status423Locked;
            return Results.Bytes(_codec.Encode(parked), NodeProtocol.ContentType);
        }
        catch (OverloadedException overloaded)
        {
            return Refused(context, StatusCodes.Status429TooManyRequests, overloaded.Message);
        }
        catch (AggregateUnavailableException unavailable)
        {
            return Elsewhere(context, _processor.PartitionOf(id))
                ?? Refused(context, StatusCodes.Status503ServiceUnavailable, unavailable.Message);
        }
    }

    private async Task<IResult> Decide(HttpContext context, AggregateId id)
    {
        CommandEnvelope command;
        using (var body = new MemoryStream())
        {
            await context.Request.Body.CopyToAsync(body, context.RequestAborted).ConfigureAwait(false);
            command = ReadCommand(context, id, body.ToArray());
        }

        if (!_processor.TrySend(command, out Task<CommandResult>? outcome))
            throw new AggregateUnavailableException(_processor.PartitionOf(id),
                $"Partition {_processor.PartitionOf(id)} does not serve on this node.");
        return Results.Bytes(_codec.Encode(await outcome.WaitAsync(context.RequestAborted).ConfigureAwait(false)),
            NodeProtocol.ContentType);
    }

    private async Task<IResult> Read(HttpContext context, AggregateId id)
    {
        if (Header(context, NodeProtocol.Token) is { } token)
            return Answer(_processor.Read(id, ConsistencyToken.Parse(token)));
        return Answer(await _processor.ReadAsync(id, ConsistencyOf(context), context.RequestAborted).ConfigureAwait(false));
    }

    private async Task<IResult> ReadHistory(HttpContext context, AggregateId id)
    {
        var query = new HistoryQuery
        {
            From = Header(context, NodeProtocol.From) is { } from ? NumberOf(NodeProtocol.From, from) : null,
            Limit = (int)Math.Min(NumberOf(NodeProtocol.Limit, Header(context, NodeProtocol.Limit)), int.MaxValue),
            IsDescending = Header(context, NodeProtocol.Order) == NodeProtocol.Descending,
            Consistency = ConsistencyOf(context),
        };
        try
        {
            return await _reads.ReadOwnHistoryAsync(id, query, context.RequestAborted).ConfigureAwait(false) is { } history
                ? Results.Bytes(history, NodeProtocol.ContentType)
                : Results.NoContent();
        }
        catch (HistoryGoneException gone)
        {
            context.Response.Headers[NodeProtocol.GoneFirst] = gone.First.ToString(CultureInfo.InvariantCulture);
            context.Response.Headers[NodeProtocol.GoneLast] = gone.Last.ToString(CultureInfo.InvariantCulture);
            return Results.Text(gone.Message, statusCode: StatusCodes.Status410Gone);
        }
    }

    private static ReadConsistency ConsistencyOf(HttpContext context) =>
        Enum.TryParse(Header(context, NodeProtocol.Consistency), out ReadConsistency consistency) && Enum.IsDefined(consistency)
            ? consistency
            : throw Missing(NodeProtocol.Consistency);

    private static long NumberOf(string header, string? text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : throw Missing(header);

    private IResult Answer(AggregateView? view) =>
        view is null ? Results.NoContent() : Results.Bytes(_codec.Encode(view), NodeProtocol.ContentType);

    private CommandEnvelope ReadCommand(HttpContext context, AggregateId id, byte[] body)
    {
        object payload;
        try
        {
            payload = _codec.DecodeCommand(body);
        }
        catch (UndecodableMessageException undecodable)
        {
            throw new InvalidInputException("$", $"The body is not a command: {undecodable.Message}", undecodable);
        }

        var commandId = CommandId.Parse(Header(context, NodeProtocol.CommandId) ?? throw Missing(NodeProtocol.CommandId));
        string expected = Header(context, NodeProtocol.ExpectedVersion) ?? throw Missing(NodeProtocol.ExpectedVersion);
        string time = Header(context, NodeProtocol.Time) ?? throw Missing(NodeProtocol.Time);
        return CloudEventHeaders.TryDecodeTime(Encoding.UTF8.GetBytes(time), out DateTimeOffset at)
            ? new CommandEnvelope(id, commandId, payload)
            {
                ExpectedVersion = ExpectedVersion.Parse(expected),
                Time = at,
                CorrelationId = Header(context, NodeProtocol.CorrelationId),
                TraceParent = Header(context, NodeProtocol.TraceParent),
                TraceState = Header(context, NodeProtocol.TraceState),
            }
            : throw new InvalidInputException(NodeProtocol.Time,
                $"The header {NodeProtocol.Time} is '{time}'; it must be a time as in RFC 3339.");
    }

    private IResult Misdirected(HttpContext context, int partition) =>
        Elsewhere(context, partition)
            ?? Problems.Of(StatusCodes.Status421MisdirectedRequest, "not-the-owner", $"Partition {partition} is not on this node.");

    // Null: this node is the owner, or nobody else is known to be.
    private IResult? Elsewhere(HttpContext context, int partition)
    {
        if (_processor.StatusOf(partition) is not null || _owners.Find(partition) is not { } owner || owner.Node == _processor.NodeId)
            return null;
        NodeProtocol.WriteOwner(owner, (name, value) => context.Response.Headers[name] = value);
        return Problems.Of(StatusCodes.Status421MisdirectedRequest, "not-the-owner",
            $"Partition {partition} is not on this node; it was last seen on {owner.Node}.");
    }

    private static IResult Refused(HttpContext context, int status, string message)
    {
        context.Response.Headers.RetryAfter = RetryAfterSeconds;
        return Results.Text(message, statusCode: status);
    }

    private static string? Header(HttpContext context, string name) => NodeProtocol.Decode(context.Request.Headers[name].FirstOrDefault());

    private static InvalidInputException Missing(string header) =>
        new(header, $"The header {header} is missing or unusable; this path is for nodes of the application.");
}
