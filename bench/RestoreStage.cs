using System.Diagnostics.Metrics;
using System.Diagnostics;
using System.Globalization;
using Confluent.Kafka.Admin;
using Confluent.Kafka;
using KafkaEventSourcing.Hosting.Load;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// How long a node takes to serve again with many aggregates: with its state store, from snapshots, from events; next to what the gauge had
/// predicted.
/// </summary>
internal static class RestoreStage
{
    private const double EventsAnAggregate = 2;

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        ApplicationDefinition bank = EndToEnd.Bank(servers, readModels: false);
        string folder = Path.Combine(servers.Folder, "node");
        int aggregates = load.Aggregates;
        string snapshots;
        await using (BenchNode node = await BenchNode.Start(bank, servers, "node", cancellationToken).ConfigureAwait(false))
        {
            long started = Stopwatch.GetTimestamp();
            await BenchAccounts.Open(node.Node, aggregates, cancellationToken).ConfigureAwait(false);
            using var feed = new CommandFeed(node.Node, new CommandFeedOptions { MaxInFlight = 20_000 });
            await feed.SendAsync(Enumerable.Range(0, aggregates).Select(BenchAccounts.Credit), cancellationToken).ConfigureAwait(false);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"restore: {aggregates:N0} aggregates with {EventsAnAggregate:0} events each, written "
                    + $"in {Stopwatch.GetElapsedTime(started).TotalSeconds:0.0} s"));
            snapshots = node.Accounts.Topics.Snapshots;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"restore: kes_restore_estimate says {Predicted():0.0} s"));
        }

        await Restart("with the state store").ConfigureAwait(false);
        Directory.Delete(folder, recursive: true);
        await Restart("from snapshots").ConfigureAwait(false);
        Directory.Delete(folder, recursive: true);
        using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = servers.Addresses.Kafka }).Build())
            await admin.DeleteTopicsAsync([snapshots]).ConfigureAwait(false);
        await Restart("from events").ConfigureAwait(false);

        async Task Restart(string how)
        {
            long started = Stopwatch.GetTimestamp();
            TimeSpan cpu = Environment.CpuUsage.TotalTime;
            await using BenchNode node = await BenchNode.Start(bank, servers, "node", cancellationToken).ConfigureAwait(false);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            cpu = Environment.CpuUsage.TotalTime - cpu;
            if ((await node.Accounts.Reads.ReadAsync(BenchAccounts.Id(aggregates - 1), cancellationToken).ConfigureAwait(false))?.Version
                != (long)EventsAnAggregate)
                throw new InvalidOperationException("The restored state is not the one before.");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"restore: {how,-22} {seconds,6:0.0} s until all partitions serve; {aggregates / seconds,9:N0} "
                    + $"aggregates/s, {cpu.TotalMicroseconds / aggregates:0.0} µs of CPU each, {Environment.WorkingSet >> 20:N0} MiB"));
        }
    }

    // The gauge that operators see, over all partitions: they are restored side by side, so the longest one counts.
    private static double Predicted()
    {
        double longest = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Name == "kes_restore_estimate")
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, value, _, _) => longest = Math.Max(longest, value));
        listener.Start();
        listener.RecordObservableInstruments();
        return longest;
    }
}
