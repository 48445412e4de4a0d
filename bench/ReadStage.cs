using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// What a fenced read costs more than an eventual one, and what the way over another node costs. Two nodes in this process.
/// </summary>
internal static class ReadStage
{
    private static readonly int[] Callers = [1, 32, 512];

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        ApplicationDefinition bank = EndToEnd.Bank(servers, readModels: false);
        await using BenchNode one = await BenchNode.Start(bank, servers, "one", cancellationToken).ConfigureAwait(false);
        await BenchAccounts.Open(one.Node, load.Accounts, cancellationToken).ConfigureAwait(false);
        await using BenchNode two = await BenchNode.Start(bank, servers, "two", cancellationToken).ConfigureAwait(false);
        await BenchCluster.EachServes([one, two], cancellationToken).ConfigureAwait(false);
        int[] atOne = [.. Enumerable.Range(0, load.Accounts).Where(n =>
            one.Accounts.Processor.CanRead(one.Accounts.Processor.PartitionOf(BenchAccounts.Id(n)), ReadConsistency.Strong))];
        foreach (int callers in Callers)
        {
            double owner = await Measure("reads: eventual, at the owner", callers,
                Read(one, ReadConsistency.Eventual)).ConfigureAwait(false);
            await Measure("reads: strong, at the owner", callers, Read(one, ReadConsistency.Strong), owner).ConfigureAwait(false);
            await Measure("reads: eventual, by another node", callers, Read(two, ReadConsistency.Eventual), owner).ConfigureAwait(false);
            await Measure("reads: strong, by another node", callers, Read(two, ReadConsistency.Strong), owner).ConfigureAwait(false);
            double direct = await Measure("commands: at the owner", callers,
                (account, stop) => BenchAccounts.Send(one.Node, account, stop)).ConfigureAwait(false);
            await Measure("commands: by another node", callers, (account, stop) =>
                BenchAccounts.Send(two.Node, account, stop), direct).ConfigureAwait(false);
        }

        Task<double> Measure(string name, int callers, Func<int, CancellationToken, Task> call, double? reference = null) =>
            ClosedLoop.Measure(name, callers, load.Runs, (random, stop) => call(atOne[random.Next(atOne.Length)], stop), reference);
    }

    private static Func<int, CancellationToken, Task> Read(BenchNode node, ReadConsistency consistency) => async (account, stop) =>
    {
        if (await node.Accounts.Reads.ReadAsync(BenchAccounts.Id(account), consistency, stop).ConfigureAwait(false) is null)
            throw new InvalidOperationException($"{BenchAccounts.Id(account)} was not found.");
    };
}
