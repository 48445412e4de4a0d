using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Hosting.Http;

namespace KafkaEventSourcing.Chaos.Load;

/// <summary>One aggregate type at the HTTP interface of one node, as any caller would use it. Thread-safe.</summary>
internal sealed class HttpCommandClient(HttpClient http, AggregateDefinition aggregate) : ICommandClient, IAggregateReader
{
    /// <exception cref="HttpRequestException">The node did not answer; the outcome is not known.</exception>
    /// <exception cref="AggregateUnavailableException">It answered that it has no answer now.</exception>
    /// <exception cref="UnexpectedAnswerException">It answered with what no caller expects.</exception>
    public async Task<CommandResult> SendAsync(CommandEnvelope command, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post,
            $"/{aggregate.Name}/{Uri.EscapeDataString(command.AggregateId.Value)}/{Names.InUrl(command.Payload.GetType())}");
        request.Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(command.Payload, command.Payload.GetType(),
            JsonFormat.Options)) { Headers = { ContentType = new("application/json") } };
        request.Headers.Add("Idempotency-Key", command.CommandId.Value);
        request.Headers.Add("Expected-Version", command.ExpectedVersion.ToString());
        using HttpResponseMessage answer = await http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        JsonNode body = await BodyOf(answer, cancellationToken).ConfigureAwait(false);
        string code = body["code"]?.GetValue<string>() ?? "";
        long version = body["version"]?.GetValue<long>() ?? 0;
        bool duplicate = body["duplicate"]?.GetValue<bool>() ?? false;
        return (answer.StatusCode, code) switch
        {
            (HttpStatusCode.OK, _) =>
                new CommandResult.Accepted(command.CommandId, command.AggregateId, version, TokenOf(body)) { IsDuplicate = duplicate },
            (HttpStatusCode.Conflict, "version-conflict") =>
                new CommandResult.Conflict(command.CommandId, command.AggregateId, version,
                    ExpectedVersion.Parse(body["expected"]!.GetValue<string>())) { IsDuplicate = duplicate },
            (HttpStatusCode.UnprocessableEntity, _) =>
                new CommandResult.Rejected(command.CommandId, command.AggregateId, version,
                    new Rejection(code, body["detail"]?.GetValue<string>() ?? "", DetailsOf(body))) { IsDuplicate = duplicate },
            _ => throw Failure(answer.StatusCode, body),
        };
    }

    /// <inheritdoc cref="SendAsync"/>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, CancellationToken cancellationToken) =>
        ReadAsync(aggregateId, ReadConsistency.Strong, cancellationToken);

    /// <inheritdoc cref="SendAsync"/>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ReadConsistency consistency, CancellationToken cancellationToken) =>
        Read(aggregateId, consistency == ReadConsistency.Strong ? "" : "?consistency=eventual", cancellationToken);

    /// <inheritdoc cref="SendAsync"/>
    public ValueTask<AggregateView?> ReadAsync(AggregateId aggregateId, ConsistencyToken atLeast, CancellationToken cancellationToken) =>
        Read(aggregateId, $"?token={Uri.EscapeDataString(atLeast.ToString())}", cancellationToken);

    /// <summary>The load asks for none: what a history has to be is checked against the log.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public ValueTask<HistoryPage?> ReadHistoryAsync(AggregateId aggregateId, HistoryQuery query, CancellationToken cancellationToken) =>
        throw new NotSupportedException("The load reads no histories.");

    private async ValueTask<AggregateView?> Read(AggregateId aggregateId, string query, CancellationToken cancellationToken)
    {
        using HttpResponseMessage answer = await http.GetAsync($"/{aggregate.Name}/{Uri.EscapeDataString(aggregateId.Value)}{query}",
            cancellationToken).ConfigureAwait(false);
        JsonNode body = await BodyOf(answer, cancellationToken).ConfigureAwait(false);
        return answer.StatusCode switch
        {
            HttpStatusCode.OK =>
                new AggregateView(aggregateId, body["version"]!.GetValue<long>(),
                    body["state"].Deserialize(aggregate.StateType, JsonFormat.Options)!, TokenOf(body)),
            HttpStatusCode.NotFound when body["code"]?.GetValue<string>() == "not-found" => null,
            _ => throw Failure(answer.StatusCode, body),
        };
    }

    private static async Task<JsonNode> BodyOf(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        string text = await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return JsonNode.Parse(text) ?? new JsonObject();
        }
        catch (JsonException)
        {
            throw new UnexpectedAnswerException(string.Create(CultureInfo.InvariantCulture,
                $"{(int)answer.StatusCode} with a body that is not JSON: {text}"));
        }
    }

    private static ConsistencyToken TokenOf(JsonNode body) =>
        body["token"]?.GetValue<string>() is { Length: > 0 } token ? ConsistencyToken.Parse(token) : default;

    private static Dictionary<string, string> DetailsOf(JsonNode body) =>
        body["details"] is JsonObject details ? details.ToDictionary(d => d.Key, d => d.Value?.GetValue<string>() ?? "") : [];

    private static Exception Failure(HttpStatusCode status, JsonNode body)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"{(int)status} ").Append(body["code"]).Append(": ").Append(
            body["detail"]).ToString();
        return status switch
        {
            HttpStatusCode.ServiceUnavailable => new AggregateUnavailableException(-1, text),
            HttpStatusCode.GatewayTimeout => new TimeoutException(text),
            _ => new UnexpectedAnswerException(text),
        };
    }
}

/// <summary>A node answered with something that faults do not excuse, such as an internal error.</summary>
internal sealed class UnexpectedAnswerException(string message) : Exception(message);
