using System.Globalization;

namespace KafkaEventSourcing.Bench;

/// <summary>Each door with few and many callers, on one account, on all alike, and on some more than on others.</summary>
internal static class DoorStage
{
    private static readonly int[] Callers = [1, 32, 512];

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        await using BenchNode node = await BenchNode.Start(EndToEnd.Bank(servers, readModels: false), servers, "node",
            cancellationToken).ConfigureAwait(false);
        await BenchAccounts.Open(node.Node, load.Accounts, cancellationToken).ConfigureAwait(false);
        (string Name, Func<int, CancellationToken, Task> Send)[] doors =
        [
            ("direct", (account, stop) => BenchAccounts.Send(node.Node, account, stop)),
            ("HTTP", (account, stop) => BenchAccounts.Send(node.Http, account, stop)),
            ("topic", (account, stop) => BenchAccounts.Send(node.Accounts.CommandTopic, account, stop)),
        ];
        foreach ((string door, Func<int, CancellationToken, Task> send) in doors)
        {
            foreach (Keys keys in (Keys[])[Keys.Uniform(load.Accounts), Keys.Zipf(load.Accounts), Keys.Hot])
            {
                foreach (int callers in Callers)
                    await ClosedLoop.Measure(string.Create(CultureInfo.InvariantCulture, $"doors: {door}, {keys.Name} keys"), callers,
                        load.Runs, (random, stop) => send(keys.Next(random), stop)).ConfigureAwait(false);
            }
        }
    }
}
