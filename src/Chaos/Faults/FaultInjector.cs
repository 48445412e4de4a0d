using KafkaEventSourcing.Chaos.Cluster;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Chaos.Faults;

/// <summary>Does to a cluster what a plan says, and takes it back.</summary>
internal sealed class FaultInjector(ChaosCluster cluster, ChaosOptions options, TimeProvider time)
{
    // Below this no file may grow: less than any state store has, so that its next flush fails.
    private const ulong FullDiskBytes = 4_096;

    private readonly Lock _lock = new();
    private readonly List<InjectedFault> _done = [];

    /// <summary>What was done, in the order in which it began.</summary>
    public IReadOnlyList<InjectedFault> Done
    {
        get
        {
            lock (_lock)
                return [.. _done.OrderBy(f => f.Started)];
        }
    }

    /// <summary>Carries the plan out; returns when its last fault is over.</summary>
    public Task Run(IReadOnlyList<Fault> plan, CancellationToken cancellationToken) =>
        Task.WhenAll(plan.Select(f => Run(f, cancellationToken)));

    /// <summary>Takes everything back that may still be wrong.</summary>
    public async Task MendAll(CancellationToken cancellationToken)
    {
        foreach (ChaosNode node in cluster.Nodes)
        {
            node.Servers.Mend();
            node.Fellows.Mend();
            await node.Process.Signal("CONT", cancellationToken).ConfigureAwait(false);
            if (FileSizeLimit.IsSupported)
                node.Process.WithId(FileSizeLimit.Lift);
            node.Process.Up();
        }

        cluster.Servers.Process?.Up();
    }

    private async Task Run(Fault fault, CancellationToken cancellationToken)
    {
        await Task.Delay(fault.At, time, cancellationToken).ConfigureAwait(false);
        lock (_lock)
            _done.Add(new InjectedFault(fault, time.GetTimestamp()));
        await Begin(fault, cancellationToken).ConfigureAwait(false);
        await Task.Delay(fault.Lasts, time, cancellationToken).ConfigureAwait(false);
        await Mend(fault, cancellationToken).ConfigureAwait(false);
    }

    private async Task Begin(Fault fault, CancellationToken cancellationToken)
    {
        if (fault.Kind == FaultKind.KillServers)
        {
            await cluster.Servers.Process!.Kill(cancellationToken).ConfigureAwait(false);
            return;
        }

        ChaosNode node = cluster.Nodes[fault.Node];
        switch (fault.Kind)
        {
            case FaultKind.KillNode:
                await node.Process.Kill(cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.WipeNode:
                await node.Process.Kill(cancellationToken).ConfigureAwait(false);
                if (Directory.Exists(node.Folder))
                    Directory.Delete(node.Folder, recursive: true);
                break;
            case FaultKind.JumpClock:
                node.SetClock(fault.Amount);
                await node.Process.Kill(cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.EndNode:
                await node.Process.End(options.Patience, cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.PauseNode or FaultKind.FreezeNode:
                await node.Process.Signal("STOP", cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.FullDisk:
                node.Process.WithId(id => FileSizeLimit.Set(id, FullDiskBytes));
                break;
            case FaultKind.CutKafka or FaultKind.CutMongoDB or FaultKind.CutRegistry or FaultKind.CutNodes:
                LineOf(fault).Cut();
                break;
            case FaultKind.StallKafka or FaultKind.StallMongoDB or FaultKind.StallNodes:
                LineOf(fault).Stall();
                break;
            case FaultKind.DelayKafka:
                LineOf(fault).Delay(fault.Amount);
                break;
            default:
                throw new InvalidOperationException($"{fault.Kind} is not known.");
        }
    }

    private async Task Mend(Fault fault, CancellationToken cancellationToken)
    {
        switch (fault.Kind)
        {
            case FaultKind.KillServers:
                cluster.Servers.Process!.Up();
                break;
            case FaultKind.KillNode or FaultKind.WipeNode or FaultKind.EndNode or FaultKind.JumpClock:
                cluster.Nodes[fault.Node].Process.Up();
                break;
            case FaultKind.PauseNode or FaultKind.FreezeNode:
                await cluster.Nodes[fault.Node].Process.Signal("CONT", cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.FullDisk:
                cluster.Nodes[fault.Node].Process.WithId(FileSizeLimit.Lift);
                break;
            default:
                LineOf(fault).Mend();
                break;
        }
    }

    private TcpProxyLine LineOf(Fault fault)
    {
        ChaosNode node = cluster.Nodes[fault.Node];
        return fault.Kind switch
        {
            FaultKind.CutMongoDB or FaultKind.StallMongoDB => node.Servers.MongoDB!,
            FaultKind.CutRegistry => node.Servers.Registry!,
            FaultKind.CutNodes or FaultKind.StallNodes => node.Fellows,
            _ => node.Servers.Kafka!,
        };
    }
}

/// <summary>A fault that was begun at the timestamp <paramref name="Started"/>.</summary>
internal sealed record InjectedFault(Fault Fault, long Started);
