using System.Diagnostics;
using System.Globalization;
using Banking.Books;
using Banking.Domain;
using Banking.ReadModels;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Load;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Bench;

/// <summary>Commands from the caller through decisions, events and states to the read models, everything in this process.</summary>
internal static class EndToEnd
{
    /// <summary>By the direct door, as in-process and HTTP callers of the owner do.</summary>
    public static Task Direct(Load load, CancellationToken cancellationToken) =>
        Run("end to end", load, readModels: true, node => node, cancellationToken);

    /// <summary>By the command topic, as any Kafka producer does.</summary>
    public static Task Topic(Load load, CancellationToken cancellationToken) =>
        Run("end to end by the topic", load, readModels: true, node => node.Aggregates[0].CommandTopic, cancellationToken);

    /// <summary>The direct door without read models.</summary>
    public static Task Process(Load load, CancellationToken cancellationToken) =>
        Run("decide, append, store", load, readModels: false, node => node, cancellationToken);

    /// <summary>The command topic without read models.</summary>
    public static Task ProcessTopic(Load load, CancellationToken cancellationToken) =>
        Run("decide, append, store, by the topic", load, readModels: false, node => node.Aggregates[0].CommandTopic, cancellationToken);

    private static async Task Run(string name, Load load, bool readModels, Func<EventSourcedNode, ICommandClient> door,
        CancellationToken cancellationToken)
    {
        var answered = new Sample($"{name}: commands answered", "cmd/s");
        var projected = new Sample($"{name}: commands in the read models", "cmd/s");
        var median = new Sample($"{name}: latency p50", "µs");
        var tail = new Sample($"{name}: latency p99", "µs");
        for (int run = 0; run <= load.Runs; run++) // the first one warms up: its code is compiled while it runs, and it does not count
        {
            await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
            ApplicationDefinition bank = Bank(servers, readModels);
            var options = new KafkaEventSourcingOptions { DataDirectory = Path.Combine(servers.Folder, "node") };
            if (load.WithoutBarriers)
                options.StreamSnapshots[Account.Definition.Name] = "kept-elsewhere";
            options.StateStores = options.StateStores with { KeepEvents = !load.WithoutEvents };
            await using EventSourcedNode node = await EventSourcedNode.StartAsync(bank, servers.Addresses, options,
                NullLoggerFactory.Instance, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            var feedOptions = new CommandFeedOptions { MaxInFlight = load.InFlight };
            using (var openings = new CommandFeed(door(node), feedOptions))
                await openings.SendAsync(load.Movements().Openings(), cancellationToken).ConfigureAwait(false);
            await node.WaitForReadModelsAsync(cancellationToken).ConfigureAwait(false);

            using var feed = new CommandFeed(door(node), feedOptions);
            TimeSpan cpu = Environment.CpuUsage.TotalTime;
            long allocated = GC.GetTotalAllocatedBytes();
            long started = Stopwatch.GetTimestamp();
            await feed.SendAsync(load.Movements().Movements(), cancellationToken).ConfigureAwait(false);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            await node.WaitForReadModelsAsync(cancellationToken).ConfigureAwait(false);
            double complete = Stopwatch.GetElapsedTime(started).TotalSeconds;
            cpu = Environment.CpuUsage.TotalTime - cpu;
            allocated = GC.GetTotalAllocatedBytes() - allocated;
            if (run > 0)
            {
                answered.Add(load.Commands / seconds);
                projected.Add(load.Commands / complete);
                median.Add(feed.Latency.Quantile(0.5).TotalMicroseconds);
                tail.Add(feed.Latency.Quantile(0.99).TotalMicroseconds);
            }

            IReadOnlyList<Books> books = !readModels ? [] : await Books.ComputeThreeWays(node, cancellationToken).ConfigureAwait(false);
            if ((books.Count > 0 && !Books.Balance(books)) || feed.Conflicts + feed.Faulted > 0)
                throw new InvalidOperationException($"The books do not balance: {string.Join("; ", books)}");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {(run == 0 ? "warm-up" : $"run {run}")}: {load.Commands / seconds:N0} cmd/s answered, {load.Commands / complete:N0} "
                    + $"cmd/s in the read models, {cpu.TotalMicroseconds / load.Commands:N1} µs of CPU and {allocated / load.Commands:N0} "
                    + $"B allocated a command, {Environment.WorkingSet >> 20:N0} MiB of "
                    + $"which {GC.GetGCMemoryInfo().TotalCommittedBytes >> 20:N0} "
                    + $"managed, {(books.Count > 0 ? "books balance" : "no books")}"));
        }

        answered.Print();
        if (readModels)
            projected.Print();
        median.Print();
        tail.Print();
    }

    public static ApplicationDefinition Bank(BenchServers servers, bool readModels)
    {
        EventSourcedApplication bank = EventSourcedApplication.Named(servers.Application, "bench").With(Account.Definition);
        return readModels
            ? bank.With(BankReadModels.Accounts)
                .With(BankReadModels.Statements)
                .With(BankReadModels.Movements)
                .With(BankReadModels.DailyTotals)
                .Build()
            : bank.Build();
    }
}
