using System.Diagnostics;
using System.Globalization;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Load;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// The same events through Streamiz as it comes, through the library's streams and through a node that folds them for its state store: in
/// turns, so that a busy machine is busy for all. What is measured begins with the first event that is processed; a restore with its first
/// record.
/// </summary>
internal static class StreamsStage
{
    private static readonly string[] Kinds = ["fold", "totals", "types"];

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        long events = await Write(load, servers, cancellationToken).ConfigureAwait(false);
        var samples = new Dictionary<string, Sample>();
        for (int run = 0; run <= load.Runs; run++)
        {
            foreach (bool exactlyOnce in (bool[])[false, true])
            {
                foreach (string kind in Kinds)
                {
                    await using (var bare = new BareTopology(servers, kind, exactlyOnce, run))
                        await Measure(bare, "Streamiz", run).ConfigureAwait(false);
                    await using (var ours = new OwnTopology(servers, kind, exactlyOnce, run))
                        await Measure(ours, "streams", run).ConfigureAwait(false);
                }
            }

            long started = Stopwatch.GetTimestamp();
            TimeSpan cpu = Environment.CpuUsage.TotalTime;
            await Restart(servers, run, cancellationToken).ConfigureAwait(false);
            Note("Processing: fold of the events by a node", run, new StreamsUnderTest.Figures(events, Stopwatch.GetElapsedTime(started),
                Environment.CpuUsage.TotalTime - cpu, 0));
        }

        foreach (Sample sample in samples.Values)
            sample.Print();

        async Task Measure(StreamsUnderTest streams, string whose, int run)
        {
            string name = $"{whose}: {streams.Kind}, {(streams.ExactlyOnce ? "exactly" : "at least")} once";
            Note(name, run, await streams.Process(events, cancellationToken).ConfigureAwait(false));
            if (streams.Kind == "fold")
                Note($"{name}, restore", run, await streams.Restore(cancellationToken).ConfigureAwait(false));
        }

        void Note(string name, int run, StreamsUnderTest.Figures seen)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  run {run}: {name}: {seen.Count / seen.Time.TotalSeconds:N0}/s of {seen.Count:N0}, "
                    + $"{seen.Cpu.TotalMicroseconds / seen.Count:N1} µs of CPU and {seen.Bytes / seen.Count:N0} B allocated each, "
                    + $"{Environment.WorkingSet >> 20:N0} MiB{(run == 0 ? " (warm-up)" : "")}"));
            if (run == 0)
                return;
            if (!samples.TryGetValue(name, out Sample? sample))
                samples.Add(name, sample = new Sample(name, "records/s"));
            sample.Add(seen.Count / seen.Time.TotalSeconds);
        }
    }

    // By a node, so that the log is what a log is, with its transactions. How many events there are.
    private static async Task<long> Write(Load load, BenchServers servers, CancellationToken cancellationToken)
    {
        await using BenchNode node = await BenchNode.Start(EndToEnd.Bank(servers, readModels: false), servers, "writer",
            cancellationToken).ConfigureAwait(false);
        using var feed = new CommandFeed(node.Node, new CommandFeedOptions { MaxInFlight = load.InFlight });
        await feed.SendAsync(load.Movements().Openings(), cancellationToken).ConfigureAwait(false);
        await feed.SendAsync(load.Movements().Movements(), cancellationToken).ConfigureAwait(false);
        return feed.Accepted; // one event each
    }

    // Without a state store, and without snapshots: a node folds all events.
    private static async Task Restart(BenchServers servers, int run, CancellationToken cancellationToken)
    {
        var topics = new TopicFamily(servers.Application, Account.Definition.Name);
        using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = servers.Addresses.Kafka }).Build())
            await admin.DeleteTopicsAsync([topics.Snapshots]).ConfigureAwait(false);
        await using BenchNode node = await BenchNode.Start(EndToEnd.Bank(servers, readModels: false), servers,
            string.Create(CultureInfo.InvariantCulture, $"again-{run}"), cancellationToken).ConfigureAwait(false);
    }
}
