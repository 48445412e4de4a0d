using System.Diagnostics;
using System.Globalization;
using Banking.Domain;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using KafkaEventSourcing.Hosting.Load;
using KafkaEventSourcing.Streamiz;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// What snapshots cost whoever decides: a node that writes barriers, and one whose snapshots event streams keep, which run nowhere, in a
/// process of their own, or in the node's. The servers are a process of their own too. In turns, so that a busy machine is busy for all.
/// </summary>
internal static class WriterStage
{
    private const char Separator = ';';
    private static readonly string[] Kinds = ["barriers", "no snapshots", "streams elsewhere", "streams beside"];

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        string folder = Directory.CreateTempSubdirectory("kes-bench-").FullName;
        var samples = Kinds.ToDictionary(k => k, k => (Writer: new Sample($"{k}: CPU of the node a command", "ns"),
            All: new Sample($"{k}: CPU of all processes a command", "ns"), Bytes: new Sample($"{k}: allocated by the node", "B"),
            Median: new Sample($"{k}: latency p50", "µs"), Tail: new Sample($"{k}: latency p99", "µs")));
        try
        {
            using BenchProcess servers = await BenchProcess.Start(BenchProcess.ServersCommand, Path.Combine(folder, "servers"),
                cancellationToken).ConfigureAwait(false);
            for (int run = 0; run <= load.Runs; run++)
            {
                for (int turn = 0; turn < Kinds.Length; turn++)
                {
                    string kind = Kinds[(turn + run) % Kinds.Length]; // none is always the first
                    Figures seen = await Measure(load, kind, servers, folder, cancellationToken).ConfigureAwait(false);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"  {(run == 0 ? "warm-up" : $"run {run}")}: {kind}: {seen.Writer:N0} ns of CPU of the node and {seen.All:N0} ns "
                            + $"of all processes, {seen.Bytes:N0} B allocated a command, p50 {seen.Median:N0} µs, p99 {seen.Tail:N0} µs, "
                            + $"{seen.Rate:N0} cmd/s"));
                    if (run == 0)
                        continue;
                    samples[kind].Writer.Add(seen.Writer);
                    samples[kind].All.Add(seen.All);
                    samples[kind].Bytes.Add(seen.Bytes);
                    samples[kind].Median.Add(seen.Median);
                    samples[kind].Tail.Add(seen.Tail);
                }
            }

            await servers.Stop(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        foreach (string kind in Kinds)
        {
            samples[kind].Writer.Print(samples[Kinds[0]].Writer, Kinds[0]);
            samples[kind].All.Print(samples[Kinds[0]].All, Kinds[0]);
            samples[kind].Bytes.Print(samples[Kinds[0]].Bytes, Kinds[0]);
            samples[kind].Median.Print(samples[Kinds[0]].Median, Kinds[0]);
            samples[kind].Tail.Print(samples[Kinds[0]].Tail, Kinds[0]);
        }
    }

    /// <summary>The servers, until standard input ends.</summary>
    public static async Task Serve(string folder, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        await using IServers servers = await new EmbeddedServers().StartAsync(
            new ServersRequest { Addresses = new ServerAddresses(), DataDirectory = folder }, NullLoggerFactory.Instance,
            cancellationToken).ConfigureAwait(false);
        ServerAddresses at = servers.Addresses;
        BenchProcess.Tell(string.Join(Separator, at.Kafka, at.Registry, at.MongoDB), Stopwatch.GetElapsedTime(started));
        await Console.In.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The streams of the application that <paramref name="place"/> names, until standard input ends.</summary>
    public static async Task ServeStreams(string place, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        string[] parts = place.Split(Separator);
        await using EventStreamsRunner streams = Start(parts[0], new ServerAddresses { Kafka = parts[1], Registry = parts[2] }, parts[3]);
        await streams.WaitForRestoreAsync(cancellationToken).ConfigureAwait(false);
        BenchProcess.Tell(streams.Definition.Name, Stopwatch.GetElapsedTime(started));
        await Console.In.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
    }

    private static EventStreamsDefinition Streams(string application) =>
        EventStreams.Define($"{application}-streams").From(Account.Definition).Snapshot(Account.Definition).Build();

    private static EventStreamsRunner Start(string application, ServerAddresses servers, string folder) =>
        EventStreamsRunner.Start(Streams(application), application,
            new ApplicationServers { Kafka = servers.KafkaConnection, Registry = servers.RegistryConfig(), DataDirectory = folder },
            new EventStreamsOptions(), NullLoggerFactory.Instance, TimeProvider.System);

    private static async Task<Figures> Measure(Load load, string kind, BenchProcess servers, string folder,
        CancellationToken cancellationToken)
    {
        string[] at = servers.Address.Split(Separator);
        var addresses = new ServerAddresses { Kafka = at[0], Registry = at[1], MongoDB = at[2] };
        string application = $"bench-{Guid.CreateVersion7():N}";
        string data = Path.Combine(folder, application);
        // Two barriers a partition, however many commands there are; with ten commands an account one has nearly all accounts.
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = data, BarrierEvents = Math.Max(1, load.Commands / (2 * new KafkaEventSourcingOptions().Partitions)),
        };
        if (kind != Kinds[0])
            options.StreamSnapshots[Account.Definition.Name] = Streams(application).SnapshotTopicOf(Account.Definition);
        await using EventSourcedNode node = await EventSourcedNode.StartAsync(
            EventSourcedApplication.Named(application, "bench").With(Account.Definition).Build(), addresses, options,
            NullLoggerFactory.Instance, TimeProvider.System, cancellationToken).ConfigureAwait(false);
        var feedOptions = new CommandFeedOptions { MaxInFlight = load.InFlight };
        using (var openings = new CommandFeed(node, feedOptions))
            await openings.SendAsync(load.Movements().Openings(), cancellationToken).ConfigureAwait(false);
        EventStreamsRunner? beside = kind == Kinds[3] ? Start(application, addresses, data) : null;
        using BenchProcess? elsewhere = kind == Kinds[2]
            ? await BenchProcess.Start(BenchProcess.StreamsCommand,
                string.Join(Separator, application, at[0], at[1], Path.Combine(data, "elsewhere")), cancellationToken).ConfigureAwait(false)
            : null;
        try
        {
            await (beside?.WaitForRestoreAsync(cancellationToken) ?? Task.CompletedTask).ConfigureAwait(false);
            using var feed = new CommandFeed(node, feedOptions);
            (TimeSpan own, TimeSpan others) = (Environment.CpuUsage.TotalTime, servers.Cpu + (elsewhere?.Cpu ?? default));
            long allocated = GC.GetTotalAllocatedBytes();
            long started = Stopwatch.GetTimestamp();
            await feed.SendAsync(load.Movements().Movements(), cancellationToken).ConfigureAwait(false);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            own = Environment.CpuUsage.TotalTime - own;
            allocated = GC.GetTotalAllocatedBytes() - allocated;
            others = servers.Cpu + (elsewhere?.Cpu ?? default) - others;
            if (feed.Conflicts + feed.Faulted > 0)
                throw new InvalidOperationException($"{feed.Conflicts} conflicts and {feed.Faulted} faults.");
            return new Figures(own.TotalNanoseconds / load.Commands, (own + others).TotalNanoseconds / load.Commands,
                (double)allocated / load.Commands, feed.Latency.Quantile(0.5).TotalMicroseconds,
                feed.Latency.Quantile(0.99).TotalMicroseconds, load.Commands / seconds);
        }
        finally
        {
            if (beside is not null)
                await beside.DisposeAsync().ConfigureAwait(false);
            if (elsewhere is not null)
                await elsewhere.Stop(cancellationToken).ConfigureAwait(false);
        }
    }

    private sealed record Figures(double Writer, double All, double Bytes, double Median, double Tail, double Rate);
}
