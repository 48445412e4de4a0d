using System.Diagnostics;
using System.Globalization;
using Banking.Books;
using Banking.Domain;
using Banking.ReadModels;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Load;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Bench;

/// <summary>Commands from the client through decisions, events and states to the read models, everything in this process.</summary>
internal static class EndToEnd
{
    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        var answered = new Sample("end to end: commands answered", "cmd/s");
        var projected = new Sample("end to end: commands in the read models", "cmd/s");
        var median = new Sample("end to end: latency p50", "µs");
        var tail = new Sample("end to end: latency p99", "µs");
        for (int run = 0; run < load.Runs; run++)
        {
            await using BenchServers servers = await BenchServers.Start(cancellationToken).ConfigureAwait(false);
            var options = new NodeOptions { DataDirectory = Path.Combine(servers.Folder, "node") };
            await using EventSourcedNode node = await EventSourcedNode.Start(Bank(), servers.Addresses, options, NullLoggerFactory.Instance, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            var feedOptions = new CommandFeedOptions { MaxInFlight = load.InFlight };
            using (var openings = new CommandFeed(node, feedOptions))
                await openings.Send(load.Movements().Openings(), cancellationToken).ConfigureAwait(false);
            await node.WaitForReadModels(cancellationToken).ConfigureAwait(false);

            using var feed = new CommandFeed(node, feedOptions);
            TimeSpan cpu = Process.GetCurrentProcess().TotalProcessorTime;
            long started = Stopwatch.GetTimestamp();
            await feed.Send(load.Movements().Movements(), cancellationToken).ConfigureAwait(false);
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            answered.Add(load.Commands / seconds);
            await node.WaitForReadModels(cancellationToken).ConfigureAwait(false);
            double complete = Stopwatch.GetElapsedTime(started).TotalSeconds;
            projected.Add(load.Commands / complete);
            cpu = Process.GetCurrentProcess().TotalProcessorTime - cpu;
            median.Add(feed.Latency.Quantile(0.5).TotalMicroseconds);
            tail.Add(feed.Latency.Quantile(0.99).TotalMicroseconds);
            IReadOnlyList<Books> books = await Books.ComputeThreeWays(node, cancellationToken).ConfigureAwait(false);
            if (!Books.Balance(books) || feed.Conflicts + feed.Faulted > 0)
                throw new InvalidOperationException($"The books do not balance: {string.Join("; ", books)}");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  run {run + 1}: {load.Commands / seconds:N0} cmd/s answered, {load.Commands / complete:N0} cmd/s in the read models, {cpu.TotalMicroseconds / load.Commands:N1} µs of CPU a command, {Environment.WorkingSet / (1 << 20):N0} MiB, books balance"));
        }

        answered.Print();
        projected.Print();
        median.Print();
        tail.Print();
    }

    private static ApplicationDefinition Bank() => EventSourcedApplication.Named("bank", "bench")
        .With(Account.Definition)
        .With(BankReadModels.Accounts)
        .With(BankReadModels.Statements, BankReadModels.StatementIndexes)
        .With(BankReadModels.Movements, BankReadModels.MovementsByAccountAndDay, BankReadModels.MovementsByCategoryAndDay)
        .With(BankReadModels.DailyTotals, BankReadModels.DailyTotalsByDay)
        .Build();
}
