using System.Diagnostics;
using System.Globalization;
using KafkaEventSourcing.Hosting.Load;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// 1 → 3 → 2 nodes under a load that does not wait for answers: what the callers notice of each move. All nodes and servers are in this
/// process and share its cores. At the end every account's version says whether a command was lost or took effect twice.
/// </summary>
internal static class MoveStage
{
    private const int Accounts = 1_000;
    private static readonly TimeSpan Steady = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(5);

    // A command that waits longer than this has noticed the move.
    private static readonly TimeSpan Noticed = TimeSpan.FromMilliseconds(250);

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        for (int run = 0; run < load.Runs; run++)
            await RunOnce(load, run, cancellationToken).ConfigureAwait(false);
    }

    private static async Task RunOnce(Load load, int run, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        ApplicationDefinition bank = EndToEnd.Bank(servers, readModels: false);
        BenchNode one = await BenchNode.Start(bank, servers, "one", cancellationToken).ConfigureAwait(false);
        var nodes = new List<BenchNode> { one };
        try
        {
            await BenchAccounts.Open(one.Node, Accounts, cancellationToken).ConfigureAwait(false);
            var offered = new Offered(load.Rate, nodes);
            using var stop = new CancellationTokenSource();
            Task sending = offered.Run(stop.Token);
            try
            {
                string name = string.Create(CultureInfo.InvariantCulture, $"moves: run {run + 1}, {load.Rate:N0} commands a second,");
                await Phase($"{name} 1 node", () => Task.CompletedTask).ConfigureAwait(false);
                await Phase($"{name} 1 → 3 nodes", async () =>
                {
                    BenchNode[] joined = await Task.WhenAll(BenchNode.Start(bank, servers, "two", cancellationToken),
                        BenchNode.Start(bank, servers, "three", cancellationToken)).ConfigureAwait(false);
                    offered.Use([one, .. joined]);
                    nodes.AddRange(joined);
                    await BenchCluster.EachServes(nodes, cancellationToken).ConfigureAwait(false);
                }).ConfigureAwait(false);
                await Phase($"{name} 3 nodes", () => Task.CompletedTask).ConfigureAwait(false);
                await Phase($"{name} 3 → 2 nodes", async () =>
                {
                    BenchNode leaving = nodes[1];
                    offered.Use([nodes[0], nodes[2]]);
                    nodes.Remove(leaving);
                    await leaving.DisposeAsync().ConfigureAwait(false);
                    await BenchCluster.EachServes(nodes, cancellationToken).ConfigureAwait(false);
                }).ConfigureAwait(false);
                await Phase($"{name} 2 nodes", () => Task.CompletedTask).ConfigureAwait(false);
            }
            finally
            {
                await stop.CancelAsync().ConfigureAwait(false);
                await sending.ConfigureAwait(false);
            }

            await offered.Check(nodes[0], cancellationToken).ConfigureAwait(false);

            async Task Phase(string title, Func<Task> move)
            {
                long started = Stopwatch.GetTimestamp();
                offered.Begin();
                await move().ConfigureAwait(false);
                TimeSpan moved = Stopwatch.GetElapsedTime(started);
                await Task.Delay(Steady, TimeProvider.System, cancellationToken).ConfigureAwait(false);
                offered.Tell(title, started, moved);
            }
        }
        finally
        {
            foreach (BenchNode node in nodes)
                await node.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Commands at a rate, in turn to all nodes, whether or not those before are answered.</summary>
    private sealed class Offered(int rate, IReadOnlyList<BenchNode> nodes)
    {
        private readonly long[] _versions = [.. Enumerable.Repeat(1L, Accounts)];
        private readonly Lock _lock = new();
        private volatile IReadOnlyList<BenchNode> _nodes = [.. nodes];
        private LatencyHistogram _latency = new();
        private long _lastNoticed;
        private long _noticed;

        public void Use(IReadOnlyList<BenchNode> nodes) => _nodes = nodes;

        /// <summary>Figures of commands that are sent from now on.</summary>
        public void Begin()
        {
            lock (_lock)
                (_latency, _lastNoticed, _noticed) = (new LatencyHistogram(), 0, 0);
        }

        public void Tell(string title, long started, TimeSpan moved)
        {
            lock (_lock)
            {
                string move = moved < Tick
                    ? ""
                    : string.Create(CultureInfo.InvariantCulture,
                        $"; {_noticed:N0} waited for more than {Noticed.TotalMilliseconds:0} ms, the last one's answer "
                            + $"came {(_lastNoticed == 0 ? 0 : Stopwatch.GetElapsedTime(started, _lastNoticed).TotalSeconds):0.00} s "
                            + $"after the beginning, all partitions served after {moved.TotalSeconds:0.00} s");
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{title}: {_latency.Count:N0} answered, p50 {_latency.Quantile(0.5).TotalMilliseconds:0.0}, "
                        + $"p99 {_latency.Quantile(0.99).TotalMilliseconds:0}, p99.9 {_latency.Quantile(0.999).TotalMilliseconds:0}, "
                        + $"longest {_latency.Max.TotalMilliseconds:0} ms{move}"));
            }
        }

        public async Task Run(CancellationToken stop)
        {
            var random = new Random(1);
            var open = new List<Task>();
            using var timer = new PeriodicTimer(Tick);
            long started = Stopwatch.GetTimestamp();
            for (long sent = 0; ;)
            {
                for (double due = Stopwatch.GetElapsedTime(started).TotalSeconds * rate; sent < due; sent++)
                {
                    IReadOnlyList<BenchNode> nodes = _nodes;
                    open.Add(Send(nodes[(int)(sent % nodes.Count)], random.Next(Accounts)));
                }

                open.RemoveAll(t => t.IsCompletedSuccessfully);
                try
                {
                    await timer.WaitForNextTickAsync(stop).ConfigureAwait(false);
                }
                catch (OperationCanceledException)
                {
                    break;
                }
            }

            await Task.WhenAll(open).ConfigureAwait(false);
        }

        /// <summary>Each account has as many events as commands were accepted: none was lost, none took effect twice.</summary>
        public async Task Check(BenchNode node, CancellationToken cancellationToken)
        {
            long commands = 0;
            for (int account = 0; account < Accounts; account++)
            {
                long version = (await node.Accounts.Reads
                    .ReadAsync(BenchAccounts.Id(account), cancellationToken).ConfigureAwait(false))!.Version;
                if (version != _versions[account])
                    throw new InvalidOperationException(
                        $"{BenchAccounts.Id(account)} is at version {version}; with the accepted commands it must "
                            + $"be {_versions[account]}.");
                commands += version - 1;
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"moves: {commands:N0} commands, none lost, none twice"));
        }

        // An outcome that is not known is asked for again at another node, under the same id.
        private async Task Send(BenchNode node, int account)
        {
            CommandEnvelope command = BenchAccounts.Credit(account);
            LatencyHistogram latency = _latency;
            long sent = Stopwatch.GetTimestamp();
            while (true)
            {
                try
                {
                    if (await node.Node.SendAsync(command, CancellationToken.None).ConfigureAwait(false) is not CommandResult.Accepted)
                        throw new InvalidOperationException($"The credit of {command.AggregateId} was not accepted.");
                    break;
                }
                catch (Exception unknown) when (unknown is TimeoutException or ObjectDisposedException)
                {
                    node = _nodes[0];
                }
            }

            TimeSpan took = Stopwatch.GetElapsedTime(sent);
            latency.Record(took);
            Interlocked.Increment(ref _versions[account]);
            if (took < Noticed)
                return;
            lock (_lock)
            {
                _noticed++;
                _lastNoticed = Stopwatch.GetTimestamp();
            }
        }
    }
}
