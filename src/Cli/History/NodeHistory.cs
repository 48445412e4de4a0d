using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.History;

/// <summary>The events of an aggregate by the HTTP interface of a node.</summary>
internal sealed class NodeHistory(HttpClient http, Uri address, AggregatePlace place, bool withState) : IHistorySource
{
    private const int PageLimit = 1_000;

    /// <inheritdoc/>
    /// <exception cref="CommandFailedException">There is no such aggregate, or the node does not tell.</exception>
    public async IAsyncEnumerable<JsonObject> Read(long version, long offset, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? next = string.Create(CultureInfo.InvariantCulture,
            $"from={version}&limit={PageLimit}{(withState ? "&state=true" : "")}");
        while (next is not null)
        {
            JsonNode page = await Page(next, cancellationToken).ConfigureAwait(false);
            foreach (JsonNode? shown in page["events"]!.AsArray())
                yield return shown!.DeepClone().AsObject();
            // The path before it is that of the way that the request took.
            next = page["next"]?.GetValue<string>().Split('?', 2)[1];
        }
    }

    private async Task<JsonNode> Page(string query, CancellationToken cancellationToken)
    {
        try
        {
            using HttpResponseMessage answer = await http.GetAsync(place.EventsOf(address, query), cancellationToken)
                .ConfigureAwait(false);
            string body = await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
            if (answer.StatusCode == HttpStatusCode.OK)
                return JsonNode.Parse(body)!;
            string told = TryParse(body)?["detail"]?.ToString() ?? $"{(int)answer.StatusCode} {answer.ReasonPhrase}";
            throw new CommandFailedException(answer.StatusCode == HttpStatusCode.NotFound
                && TryParse(body)?["code"]?.ToString() == "not-found"
                ? told
                : $"The node at {address} does not tell the history: {told} '--node log' reads it from Kafka.");
        }
        catch (Exception away) when (away is HttpRequestException or JsonException)
        {
            throw new CommandFailedException($"The node at {address} does not answer: {away.Message} '--node log' reads the history from "
                + "Kafka.", away);
        }
    }

    private static JsonNode? TryParse(string body)
    {
        try
        {
            return JsonNode.Parse(body);
        }
        catch (JsonException)
        {
            return null; // an answer of something else than a node
        }
    }
}
