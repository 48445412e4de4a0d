using System.CommandLine;
using System.Globalization;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Streamiz;

namespace Banking.Streams;

/// <summary>What <c>verify</c> compares besides: the topics of the streams, where they are there.</summary>
internal static class StreamsVerification
{
    /// <summary>Whether repeats are expected.</summary>
    public static Option<bool> AtLeastOnce { get; } = StreamsCommand.AtLeastOnce();

    /// <summary>Compares; true as well where no streams have run.</summary>
    public static async Task<bool> VerifyAsync(ParseResult result, EventSourcedNode node, CancellationToken cancellationToken)
    {
        using EventStreamsReader reader = StreamServers.Reader(node.Application.Name, node.Addresses);
        if (!await reader.HasTopicsAsync(cancellationToken).ConfigureAwait(false))
            return true;
        EventStreamsReport report = await new EventStreamsVerifier(reader).RunAsync(cancellationToken).ConfigureAwait(false);
        foreach (string difference in report.Differences)
            Console.WriteLine(difference);
        bool isRepeated = report.Repeats > 0 && !result.GetValue(AtLeastOnce);
        string behind = report.PartitionsBehind == 0
            ? ""
            : string.Create(CultureInfo.InvariantCulture, $" {report.PartitionsBehind} partitions are not read to the end.");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{reader.Definition.Name}: {report.Snapshots:N0} snapshots, {report.Totals:N0} totals, {report.TypedEvents:N0} events by "
                + $"type, {report.Repeats:N0} of them again, {report.Joined:N0} joined: ")
            + (report.DifferenceCount > 0 ? string.Create(CultureInfo.InvariantCulture, $"{report.DifferenceCount:N0} differences.")
                : isRepeated ? "what is there again must not be, unless the streams are --at-least-once."
                : "all agree.")
            + behind);
        return report.IsConsistent && !isRepeated;
    }
}
