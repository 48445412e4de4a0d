using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.History;

/// <summary>
/// <c>kes history FAMILY ID</c>: the events of one aggregate, from the node that owns it, which has them by aggregate; where none answers,
/// from the log, by reading the whole partition.
/// </summary>
internal static class HistoryCommand
{
    // What an event or a state says is for people and programs, not for a page of HTML.
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var cluster = new ClusterOptions();
        var family = new Argument<string>("family") { Description = "application and aggregate type, such as bank.account" };
        var id = new Argument<string>("id") { Description = "the aggregate's id" };
        var from = new Option<long>("--from") { Description = "begin with this version (default 1)", DefaultValueFactory = _ => 1 };
        var limit = new Option<long?>("--limit", "-n") { Description = "end after so many versions" };
        var state = new Option<bool>("--state") { Description = "with the state after each event: a node has to answer" };
        var follow = new Option<bool>("--follow", "-f") { Description = "go on until Ctrl-C (or --limit)" };
        var json = new Option<bool>("--json") { Description = "one line of JSON an event" };
        var node = new Option<string?>("--node")
        {
            Description = "the address of a node (default: of the owner, as the owners topic has it); log: read the partition",
            HelpName = "URL|log",
        };
        var command = new Command("history", "read the events of one aggregate");
        command.Arguments.Add(family);
        command.Arguments.Add(id);
        foreach (Option option in new Option[] { from, limit, state, follow, json, node })
            command.Options.Add(option);
        cluster.AddTo(command, withRegistry: true);
        from.Checked(value => value < 1 ? $"--from is {value}; versions begin at 1." : null);
        limit.Checked(value => value < 1 ? $"--limit is {value}; it must be positive." : null);
        node.Checked(value => value is null or "log"
            || Uri.TryCreate(value, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https"
            ? null
            : $"--node is '{value}'; it must be a URL such as http://localhost:8080, or log.");
        command.Validators.Add(result =>
        {
            if (result.GetValue(state) && result.GetValue(node) == "log")
                result.AddError("--state needs a node, whose code folds states; --node log reads events alone.");
        });
        command.SetAction((result, cancellationToken) => Task.Run(async () =>
        {
            KafkaConnection kafka = cluster.KafkaOf(result);
            SchemaRegistryConfig registry = cluster.RegistryOf(result);
            AggregateId aggregate = AggregateId.Parse(result.GetValue(id)!);
            AggregatePlace place = AggregatePlace.Find(kafka, result.GetValue(family)!, aggregate);
            using var log = new LogHistory(kafka, registry, place);
            using var http = new HttpClient();
            var reading = new HistoryReading(place, log, http, kafka, registry, result.GetValue(node), result.GetValue(state));
            await using TextWriter output = StandardOutput.Open();
            long version = result.GetValue(from);
            long left = result.GetValue(limit) ?? long.MaxValue;
            try
            {
                IHistorySource source = await reading.Choose(cancellationToken).ConfigureAwait(false);
                long next = await Show(source, 0).ConfigureAwait(false);
                if (next == 0 && version == 1 && !result.GetValue(follow))
                    throw new CommandFailedException($"There is no {place.Family.Aggregate} '{aggregate}'.");
                if (!result.GetValue(follow))
                    return ExitCodes.Done;
                await Console.Error.WriteLineAsync($"Following {place.Family.Aggregate} '{aggregate}'; Ctrl-C ends it.").ConfigureAwait(
                    false);
                foreach (long offset in log.Follow(next, cancellationToken))
                {
                    if (left == 0)
                        break;
                    await Show(source, offset).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (result.GetValue(follow) && cancellationToken.IsCancellationRequested)
            {
                // Ctrl-C is how following ends.
            }
            catch (IOException gone) when (StandardOutput.IsReaderGone(gone))
            {
                // 'head' has enough.
            }

            return ExitCodes.Done;

            // What comes from the version that is due on; returns the offset behind the last.
            async Task<long> Show(IHistorySource source, long offset)
            {
                await foreach (JsonObject shown in source.Read(version, offset, cancellationToken).ConfigureAwait(false))
                {
                    long shownVersion = shown["version"]!.GetValue<long>();
                    if (shownVersion >= version)
                    {
                        if (left == 0)
                            break;
                        (version, left) = (shownVersion + 1, left - 1);
                    }

                    offset = ConsistencyToken.Parse(shown["token"]!.GetValue<string>()).Offset + 1;
                    await output.WriteLineAsync(result.GetValue(json) ? shown.ToJsonString(Json) : Text(shown)).ConfigureAwait(false);
                }

                return offset;
            }
        }, cancellationToken));
        return command;
    }

    private static string Text(JsonObject shown)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture,
            $"{shown["version"]}  {shown["time"]}  {Plain(shown["type"]) ?? "(no event)"}  {Plain(shown["commandId"])}");
        if (Plain(shown["correlationId"]) is { } correlation && correlation != Plain(shown["commandId"]))
            text.Append(CultureInfo.InvariantCulture, $"  correlated with {correlation}");
        if (shown["discarded"] is not null)
            text.Append("  discarded by an operator: it does nothing");
        if (Plain(shown["error"]) is { } error)
            text.Append(CultureInfo.InvariantCulture, $"\n  (cannot be read: {error})");
        if (shown["event"] is { } payload)
            text.Append(CultureInfo.InvariantCulture, $"\n  {payload.ToJsonString(Json)}");
        if (shown["state"] is { } state)
            text.Append(CultureInfo.InvariantCulture, $"\n  state {state.ToJsonString(Json)}");
        return text.ToString();
    }

    // Whoever has written it must not write on the operator's screen.
    private static string? Plain(JsonNode? text) => text is null ? null : PlainText.Escape(text.GetValue<string>());
}
