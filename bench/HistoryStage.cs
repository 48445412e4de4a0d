using System.Diagnostics;
using System.Globalization;
using Banking.Demo;
using Banking.Domain;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Load;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// The history of one account among those of many others, at its owner, and by reading its partition, as the log grows to ten times its
/// size; the store with the events and with their places alone.
/// </summary>
internal static class HistoryStage
{
    private const int Movements = 674; // and the opening
    private const int Growth = 10;
    private const string Account = "the-account";
    private static readonly AggregateId Id = AggregateId.Parse(Account);

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        foreach (bool keepsEvents in (bool[])[true, false])
        {
            await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
            var options = new KafkaEventSourcingOptions { DataDirectory = Path.Combine(servers.Folder, "node") };
            options.StateStores = options.StateStores with { KeepEvents = keepsEvents };
            await using EventSourcedNode node = await EventSourcedNode.StartAsync(EndToEnd.Bank(servers, readModels: false),
                servers.Addresses, options, Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance, TimeProvider.System,
                cancellationToken).ConfigureAwait(false);
            using var feed = new CommandFeed(node, new CommandFeedOptions { MaxInFlight = load.InFlight });
            await feed.SendAsync(load.Movements().Openings(), cancellationToken).ConfigureAwait(false);
            await Send(node, new OpenAccount { Owner = "Ada", Currency = "EUR", OverdraftLimit = 0, OpenedOn = new DateOnly(2026, 1, 1) })
                .ConfigureAwait(false);
            int sent = 0;
            foreach (int events in (int[])[load.Commands, load.Commands * Growth])
            {
                await Grow(node, feed, load, events - sent, sent == 0, cancellationToken).ConfigureAwait(false);
                sent = events;
                await Measure(node, load, events, keepsEvents, cancellationToken).ConfigureAwait(false);
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  state stores: {Bytes(Path.Combine(servers.Folder, "node")) >> 20:N0} MiB of {sent:N0} events"));
        }

        async Task Send(EventSourcedNode node, object payload)
        {
            var command = new CommandEnvelope(Id, CommandId.New(TimeProvider.System), payload);
            if (await node.SendAsync(command, cancellationToken).ConfigureAwait(false) is not CommandResult.Accepted)
                throw new InvalidOperationException($"{payload} was not accepted.");
        }

        // The account's own movements lie evenly among the first ones: as the log grows, its history does not.
        async Task Grow(EventSourcedNode node, CommandFeed feed, Load of, int commands, bool withOwn, CancellationToken stop)
        {
            int chunk = Math.Max(1, commands / Movements);
            foreach (IReadOnlyList<CommandEnvelope> some in of.Movements(commands).Movements().Chunk(withOwn ? chunk : 100_000))
            {
                await feed.SendAsync(some, stop).ConfigureAwait(false);
                if (withOwn)
                    await Send(node, new Credit
                    {
                        Amount = 1, Currency = "EUR", BookedOn = new DateOnly(2026, 1, 1), Operation = Operation.CashDeposit,
                        Category = Category.None,
                    }).ConfigureAwait(false);
            }
        }
    }

    private static async Task Measure(EventSourcedNode node, Load load, int events, bool keepsEvents, CancellationToken cancellationToken)
    {
        IAggregateClient<AccountState> accounts = node.ClientOf(Banking.Domain.Account.Definition);
        string store = keepsEvents ? "store" : "places";
        var own = new Sample($"history: {events:N0} events, by the {store}", "µs");
        var version = new Sample($"state at a version: {events:N0} events, {store}", "µs");
        var scan = new Sample($"history: {events:N0} events, by the partition", "µs");
        long expected = (await accounts.ReadAsync(Id, cancellationToken).ConfigureAwait(false))!.Version;
        for (int run = 0; run <= load.Runs; run++)
        {
            long started = Stopwatch.GetTimestamp();
            long read = await Count(accounts.HistoryAsync(Id, 1, cancellationToken)).ConfigureAwait(false);
            double micros = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
            started = Stopwatch.GetTimestamp();
            await accounts.ReadVersionAsync(Id, expected / 2, cancellationToken).ConfigureAwait(false);
            double half = Stopwatch.GetElapsedTime(started).TotalMicroseconds;
            if (read != expected)
                throw new InvalidOperationException($"{read} of {expected} events were read.");
            if (run == 0)
                continue;
            own.Add(micros);
            version.Add(half);
        }

        for (int run = 0; keepsEvents && run < 2; run++)
        {
            long started = Stopwatch.GetTimestamp();
            await Count(node.Aggregates[0].History.ReadAggregateAsync(Id, cancellationToken)).ConfigureAwait(false);
            scan.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
        }

        if (keepsEvents)
            scan.Print();
        own.Print(keepsEvents ? scan : null, "the partition");
        version.Print();
    }

    private static async Task<long> Count(IAsyncEnumerable<RecordedEvent> events)
    {
        long count = 0;
        await foreach (RecordedEvent _ in events.ConfigureAwait(false))
            count++;
        return count;
    }

    private static long Bytes(string folder) =>
        new DirectoryInfo(folder).EnumerateFiles("*.sst", SearchOption.AllDirectories).Sum(f => f.Length);
}
