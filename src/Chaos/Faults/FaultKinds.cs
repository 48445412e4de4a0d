namespace KafkaEventSourcing.Chaos.Faults;

/// <summary>Which kinds of faults there can be where.</summary>
internal static class FaultKinds
{
    // With streams a run is about what nodes restore from: they lose their folders, and the streams have faults, more often than the rest.
    private const int WeightOfWipes = 7;
    private const int WeightOfStreams = 3;

    private static readonly FaultKind[] Streams =
        [FaultKind.KillStreams, FaultKind.WipeStreams, FaultKind.PauseStreams, FaultKind.CutStreams, FaultKind.DelayStreams];

    /// <summary>The kinds that befall nodes, the ways to and from them, and the servers.</summary>
    public static IReadOnlyList<FaultKind> OfNodes { get; } = [.. Enum.GetValues<FaultKind>().Except(Streams)];

    /// <summary>All kinds of a run with event streams, some of them more than once, so that they are drawn more often.</summary>
    public static IReadOnlyList<FaultKind> WithStreams { get; } =
    [
        .. OfNodes, .. Enumerable.Repeat(FaultKind.WipeNode, WeightOfWipes - 1),
        .. Enumerable.Repeat(Streams, WeightOfStreams).SelectMany(s => s),
    ];

    /// <summary>Whether a kind befalls a process of the event streams.</summary>
    public static bool IsOfStreams(this FaultKind kind) => Streams.Contains(kind);

    /// <summary>Whether a kind needs no more than the processes themselves and the ways between nodes: no proxy before servers.</summary>
    public static bool NeedsNoServers(this FaultKind kind) => kind is FaultKind.KillNode or FaultKind.WipeNode or FaultKind.EndNode
        or FaultKind.PauseNode or FaultKind.FreezeNode or FaultKind.CutNodes or FaultKind.StallNodes or FaultKind.FullDisk
        or FaultKind.JumpClock or FaultKind.KillStreams or FaultKind.WipeStreams or FaultKind.PauseStreams;
}
