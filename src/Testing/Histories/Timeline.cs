using System.Globalization;
using System.Text;

namespace KafkaEventSourcing.Testing;

/// <summary>The calls and log entries around a finding, for people.</summary>
internal static class Timeline
{
    private const int CallsAround = 4;
    private const int VersionsAround = 3;

    public static string Of(Finding finding, IReadOnlyList<RecordedCall> calls, IReadOnlyList<RecordedEvent> events, long origin,
        long frequency)
    {
        var text = new StringBuilder();
        RecordedCall[] ordered = [.. calls.OrderBy(c => c.Started)];
        var marked = new HashSet<RecordedCall>(finding.Calls, ReferenceEqualityComparer.Instance);
        int told = -1;
        for (int i = 0; i < ordered.Length; i++)
        {
            if (!Enumerable.Range(Math.Max(0, i - CallsAround),
                Math.Min(ordered.Length - 1, i + CallsAround) - Math.Max(0, i - CallsAround) + 1).Any(n => marked.Contains(ordered[n])))
                continue;
            if (told >= 0 && told < i - 1)
                text.AppendLine("  …");
            told = i;
            RecordedCall call = ordered[i];
            text.Append(marked.Contains(call) ? "> " : "  ").Append(Milliseconds(call.Started)).Append(" … ").Append(
                call.Answer is { } answer ? Milliseconds(answer.Ended) : "(open)")
                .Append("  ").Append(call.Caller).Append("  ").AppendLine(Told(call));
        }

        foreach (RecordedEvent recorded in events.Where(e => finding.Versions.Any(v => Math.Abs(e.Version - v) <= VersionsAround)))
        {
            text.Append(finding.Versions.Contains(recorded.Version) ? "> " : "  ").Append(CultureInfo.InvariantCulture,
                $"log {recorded.Partition}@{recorded.Offset}")
                .Append(CultureInfo.InvariantCulture, $"  version {recorded.Version} of command {recorded.CommandId}: {recorded.Payload}")
                .AppendLine();
        }

        return text.ToString().TrimEnd();

        string Milliseconds(long timestamp) => string.Create(CultureInfo.InvariantCulture,
            $"{(timestamp - origin) * 1000.0 / frequency:0.000} ms");
    }

    public static string Told(RecordedCall call)
    {
        string asked = call.Command is { } command
            ? $"command {command.CommandId} ({command.Payload.GetType().Name}, expected {command.ExpectedVersion})"
            : call.Consistency == ReadConsistency.Strong ? "strong read" : "eventual read";
        return $"{asked} → {Told(call.Answer)}";
    }

    public static string NameOf(ReadConsistency consistency) =>
        consistency == ReadConsistency.Strong ? "a strong read" : "an eventual read";

    private static string Told(CallAnswer? answer) => answer switch
    {
        CallAnswer.Told { Result: CommandResult.Accepted accepted } =>
            string.Create(CultureInfo.InvariantCulture,
                $"accepted, version {accepted.Version} at {(accepted.Token.IsDefault ? "no event" : accepted.Token)}{Again(accepted)}"),
        CallAnswer.Told { Result: CommandResult.Rejected rejected } =>
            string.Create(CultureInfo.InvariantCulture,
                $"rejected ({rejected.Rejection.Code}) at version {rejected.Version}{Again(rejected)}"),
        CallAnswer.Told { Result: CommandResult.Conflict conflict } =>
            string.Create(CultureInfo.InvariantCulture,
                $"conflict with {conflict.Expected} at version {conflict.Version}{Again(conflict)}"),
        CallAnswer.Told { Result: CommandResult.Faulted faulted } => $"faulted ({faulted.Code})",
        CallAnswer.Seen { View: { } view } =>
            string.Create(CultureInfo.InvariantCulture, $"version {view.Version} at {view.Token}: {view.State}"),
        CallAnswer.Seen => "no events",
        CallAnswer.Unknown unknown => $"unknown ({unknown.Reason})",
        CallAnswer.NotTaken refused => $"not taken ({refused.Reason})",
        _ => "no answer yet",
    };

    private static string Again(CommandResult result) => result.IsDuplicate ? ", told again" : "";
}
