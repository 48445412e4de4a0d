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
        foreach (ChaosMember member in cluster.Members)
        {
            member.Servers.Mend();
            await member.Process.Signal("CONT", cancellationToken).ConfigureAwait(false);
            if (FileSizeLimit.IsSupported)
                member.Process.WithId(FileSizeLimit.Lift);
            member.Process.Up();
        }

        foreach (ChaosNode node in cluster.Nodes)
            node.Fellows.Mend();

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

        ChaosMember member = MemberOf(fault);
        switch (fault.Kind)
        {
            case FaultKind.KillNode or FaultKind.KillStreams:
                await member.Process.Kill(cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.WipeNode or FaultKind.WipeStreams:
                await member.Process.Kill(cancellationToken).ConfigureAwait(false);
                if (Directory.Exists(member.Folder))
                    Directory.Delete(member.Folder, recursive: true);
                break;
            case FaultKind.JumpClock:
                cluster.Nodes[fault.Node].SetClock(fault.Amount);
                await member.Process.Kill(cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.EndNode:
                await member.Process.End(options.Patience, cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.PauseNode or FaultKind.FreezeNode or FaultKind.PauseStreams:
                await member.Process.Signal("STOP", cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.FullDisk:
                member.Process.WithId(id => FileSizeLimit.Set(id, FullDiskBytes));
                break;
            case FaultKind.CutStreams or FaultKind.CutKafka or FaultKind.CutMongoDB or FaultKind.CutRegistry or FaultKind.CutNodes:
                LineOf(fault).Cut();
                break;
            case FaultKind.StallKafka or FaultKind.StallMongoDB or FaultKind.StallNodes:
                LineOf(fault).Stall();
                break;
            case FaultKind.DelayKafka or FaultKind.DelayStreams:
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
            case FaultKind.KillNode or FaultKind.WipeNode or FaultKind.EndNode or FaultKind.JumpClock or FaultKind.KillStreams
                or FaultKind.WipeStreams:
                MemberOf(fault).Process.Up();
                break;
            case FaultKind.PauseNode or FaultKind.FreezeNode or FaultKind.PauseStreams:
                await MemberOf(fault).Process.Signal("CONT", cancellationToken).ConfigureAwait(false);
                break;
            case FaultKind.FullDisk:
                MemberOf(fault).Process.WithId(FileSizeLimit.Lift);
                break;
            default:
                LineOf(fault).Mend();
                break;
        }
    }

    private ChaosMember MemberOf(Fault fault) =>
        fault.Streams >= 0 ? cluster.Streams[fault.Streams] : cluster.Nodes[fault.Node];

    private TcpProxyLine LineOf(Fault fault)
    {
        ServerRoute servers = MemberOf(fault).Servers;
        return fault.Kind switch
        {
            FaultKind.CutMongoDB or FaultKind.StallMongoDB => servers.MongoDB!,
            FaultKind.CutRegistry => servers.Registry!,
            FaultKind.CutNodes or FaultKind.StallNodes => cluster.Nodes[fault.Node].Fellows,
            _ => servers.Kafka!,
        };
    }
}

/// <summary>A fault that was begun at the timestamp <paramref name="Started"/>.</summary>
internal sealed record InjectedFault(Fault Fault, long Started);
