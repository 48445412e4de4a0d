using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Bench;

/// <summary>Nodes of one application, together.</summary>
internal static class BenchCluster
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(5);

    /// <summary>Waits until every partition is served by one of the <paramref name="nodes"/>, and each of them serves one.</summary>
    public static async Task EachServes(IReadOnlyList<BenchNode> nodes, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Look);
        while (!Serve(nodes))
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
    }

    private static bool Serve(IReadOnlyList<BenchNode> nodes)
    {
        var idle = nodes.ToHashSet();
        for (int partition = 0; nodes[0].Accounts.Owners.Find(partition) is not null; partition++)
        {
            if (nodes.FirstOrDefault(n => n.Accounts.Processor.CanRead(partition, ReadConsistency.Strong)) is not { } owner
                || nodes.Any(n => n.Accounts.Owners.Find(partition)?.Node != owner.Accounts.Processor.NodeId))
                return false;
            idle.Remove(owner);
        }

        return idle.Count == 0;
    }
}
