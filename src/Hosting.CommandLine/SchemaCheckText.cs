using System.Globalization;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Hosting.Verification;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary>The report of <c>schemas check</c> for people.</summary>
internal static class SchemaCheckText
{
    private const string CodeReads = "Everything that was read can be read by this code.";
    private const string CodeDoesNotRead = "This code cannot read everything: do not deploy it on this log.";

    /// <summary>Writes the report; the last line is <paramref name="readable"/> or <paramref name="unreadable"/>.</summary>
    public static void Write(SchemaCheckReport report, TextWriter output, string readable = CodeReads, string unreadable = CodeDoesNotRead)
    {
        foreach (IGrouping<string, SchemaUse> topic in report.Uses.GroupBy(u => u.Topic))
        {
            output.WriteLine(topic.Key);
            int width = topic.Max(u => u.Reading.WriterType.Length);
            foreach (SchemaUse use in topic)
                WriteUse(use, width, output);
        }

        foreach (AggregateCheck check in report.Aggregates)
            WriteAggregate(check, output);
        foreach (ReadModelCheck check in report.ReadModels)
        {
            output.WriteLine(check.NotCompared is { } why
                ? $"read model {check.Name}: not compared, {why}."
                : string.Create(CultureInfo.InvariantCulture,
                    $"read model {check.Name}: {check.Compared:N0} documents compared, {check.Changed:N0} would be others."));
            WriteSome(check.Changes, check.Changed, output);
        }

        foreach (string topic in report.MissingSnapshots)
            output.WriteLine($"{topic}: there is no such topic; no snapshots of event streams were read of it.");
        foreach (string aggregate in report.Unread)
            output.WriteLine($"{aggregate}: there is no topic of its events; nothing of it was read.");
        output.WriteLine(report.IsReadable ? readable : unreadable);
    }

    private static void WriteUse(SchemaUse use, int width, TextWriter output)
    {
        SchemaReading reading = use.Reading;
        string how = use.Failures == use.Records && use.Failures > 0 ? "CANNOT BE READ"
            : use.Ignored == use.Records ? "ignored"
            : use.Upcast > 0 ? "upcast"
            : reading.ReadAs is null ? "folded anew"
            : reading.ReadAs != reading.WriterType ? $"read as {reading.ReadAs}"
            : reading.IsOwn ? "as it is"
            : "converted";
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"  {reading.WriterType.PadRight(width)}  schema {reading.Schema,-6} {use.Records,12:N0}  {how}"));
        foreach (string difference in reading.Differences)
            output.WriteLine($"      {difference}");
        if (use.Failures == 0 && use.Ignored == 0)
        {
            foreach (string problem in reading.Problems)
                output.WriteLine($"      a value could be one that cannot be read: {problem}");
        }

        if (use.FirstFailure is { } failure)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"      {use.Failures:N0} cannot be read, the first at {failure.Partition}@{failure.Offset}: {failure.Why}"));
    }

    private static void WriteAggregate(AggregateCheck check, TextWriter output)
    {
        string other = check.OtherStateSchema == 0 ? "" : string.Create(CultureInfo.InvariantCulture,
            $" {check.OtherStateSchema:N0} snapshots are of another schema of the state: nodes fold all events anew.");
        if (check.OtherStreamStateSchema > 0)
            other += string.Create(CultureInfo.InvariantCulture, $" {check.OtherStreamStateSchema:N0} snapshots of event streams are of "
                + $"another schema of the state: the streams stop until they are reset, and nodes fold all events anew.");
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{check.Aggregate}: {check.Events:N0} events of {check.Aggregates:N0} aggregates folded, {check.Compared:N0} states compared, "
                + $"{check.Changed:N0} become others.") + other);
        WriteSome(check.Changes, check.Changed, output);
        foreach (string field in check.Shape)
            output.WriteLine($"  of the state, {field}");
        if (check.UnfoldableCount > 0)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {check.UnfoldableCount:N0} events cannot be folded:"));
        WriteSome(check.Unfoldable, check.UnfoldableCount, output);
    }

    private static void WriteSome(IReadOnlyList<string> lines, long all, TextWriter output)
    {
        foreach (string line in lines)
            output.WriteLine($"  {line}");
        if (all > lines.Count)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  and {all - lines.Count:N0} more"));
    }
}
