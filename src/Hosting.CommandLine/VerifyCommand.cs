using System.CommandLine;
using System.Globalization;
using KafkaEventSourcing.Hosting.Verification;

namespace KafkaEventSourcing.Hosting.CommandLine;

/// <summary><c>verify</c>: do events, state stores and read models agree?</summary>
internal static class VerifyCommand
{
    // a node that was killed is missed after the session time-out, and what it had comes a moment later
    private static readonly TimeSpan Rebalance = TimeSpan.FromSeconds(10);

    public static Command Create(NodeStarter starter, IReadOnlyList<Verification> others)
    {
        var command = new Command("verify", "fold all events again and compare with state stores and read models, aggregate by aggregate");
        starter.AddOptions(command);
        foreach (Option option in others.SelectMany(o => o.Options))
            command.Options.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            await WaitUntilAlone(starter, result, cancellationToken).ConfigureAwait(false);
            await using NodeHandle running = await starter.StartAsync(result, RunCommand.DefaultDataDirectory(starter.Application),
                cancellationToken).ConfigureAwait(false);
            bool consistent = true;
            foreach (AggregateNode aggregate in running.Node.Aggregates)
                consistent &= await Verify(running.Node, aggregate, running.Node.SessionTimeout + Rebalance, starter.Time,
                    cancellationToken).ConfigureAwait(false);
            foreach (Verification other in others)
                consistent &= await other.Verify(result, running.Node, cancellationToken).ConfigureAwait(false);
            return consistent ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    // An embedded Kafka, whose data only one process can open, is begun with the node.
    private static async Task WaitUntilAlone(NodeStarter starter, ParseResult result, CancellationToken cancellationToken)
    {
        var options = new KafkaEventSourcingOptions();
        starter.Configure(options, result, RunCommand.DefaultDataDirectory(starter.Application));
        starter.Check(options);
        if (options.Addresses.Kafka is not null)
            await GroupMembers.WaitForNone(starter.Application, options.Addresses.KafkaConnection, options.SessionTimeout + Rebalance,
                starter.Time, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<bool> Verify(EventSourcedNode node, AggregateNode aggregate, TimeSpan patience, TimeProvider time,
        CancellationToken cancellationToken)
    {
        var verifier = new Verifier(node, aggregate);
        await verifier.WaitForAllPartitionsAsync(patience, time, cancellationToken).ConfigureAwait(false);
        VerificationReport report = null!;
        await Progress.ShowAsync($"verifying {aggregate.Definition.Name}", "events", null, () => verifier.EventsRead,
            async () => report = await verifier.RunAsync(cancellationToken).ConfigureAwait(false), time).ConfigureAwait(false);
        foreach (string difference in report.Differences)
            Console.WriteLine(difference);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{report.Aggregate}: {report.Events:N0} events, {report.Aggregates:N0} aggregates, {report.Documents:N0} documents: ")
            + (report.IsConsistent
                ? "all agree."
                : string.Create(CultureInfo.InvariantCulture, $"{report.DifferenceCount:N0} differences.")));
        return report.IsConsistent;
    }
}
