using System.Globalization;
using System.Text.Json;
using KafkaEventSourcing.Chaos.Faults;
using KafkaEventSourcing.Hosting.Http;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Verdict;

/// <summary>
/// A run as files: who called what when and was told what, what is in the log, what was done to the system, and the verdict.
/// </summary>
internal static class ChaosRecord
{
    public static async Task Write(ChaosResult result, string folder, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        long origin = result.Calls.Values.SelectMany(c => c).Select(c => c.Started).Concat(result.Faults.Select(f => f.Started))
            .DefaultIfEmpty(0).Min();
        await File.WriteAllLinesAsync(Path.Combine(folder, "verdict.txt"),
            [$"seed {result.Seed}", .. result.Verdicts.Select(v => $"{v.Key}: {v.Value}"),
                .. result.Violations.Select(v => $"VIOLATION {v}")], cancellationToken).ConfigureAwait(false);
        await File.WriteAllLinesAsync(Path.Combine(folder, "faults.txt"),
            result.Faults.Select(f =>
                string.Create(CultureInfo.InvariantCulture, $"begun at {Milliseconds(f.Started, origin),10:0.0} ms: {f.Fault}")),
                cancellationToken).ConfigureAwait(false);
        await File.WriteAllLinesAsync(Path.Combine(folder, "history.jsonl"),
            result.Calls.SelectMany(a => a.Value.Select(c => (Aggregate: a.Key, Call: c))).OrderBy(c => c.Call.Started).Select(c =>
                Line(c.Aggregate, c.Call, origin)), cancellationToken).ConfigureAwait(false);
        await File.WriteAllLinesAsync(Path.Combine(folder, "events.jsonl"),
            result.Events.SelectMany(a => a.Value.Select(e => Line(a.Key, e))), cancellationToken).ConfigureAwait(false);
    }

    private static string Line(string aggregate, RecordedCall call, long origin) => JsonSerializer.Serialize(new
    {
        started = Milliseconds(call.Started, origin),
        ended = call.Answer is { } answer ? Milliseconds(answer.Ended, origin) : (double?)null,
        caller = call.Caller,
        aggregate,
        id = call.AggregateId.Value,
        commandId = call.Command?.CommandId.Value,
        expected = call.Command?.ExpectedVersion.ToString(),
        command = call.Command?.Payload.GetType().Name,
        body = call.Command?.Payload,
        answer = call.Told,
    }, JsonFormat.Options);

    private static string Line(string aggregate, RecordedEvent recorded) => JsonSerializer.Serialize(new
    {
        aggregate,
        id = recorded.AggregateId.Value,
        version = recorded.Version,
        partition = recorded.Partition,
        offset = recorded.Offset,
        commandId = recorded.CommandId.Value,
        time = recorded.Time,
        type = recorded.Payload.GetType().Name,
        body = recorded.Payload,
    }, JsonFormat.Options);

    private static double Milliseconds(long timestamp, long origin) =>
        Math.Round((timestamp - origin) * 1000.0 / TimeProvider.System.TimestampFrequency, 3);
}
