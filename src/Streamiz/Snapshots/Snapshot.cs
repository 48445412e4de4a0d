namespace KafkaEventSourcing.Streamiz;

/// <summary>One aggregate as of its last event, as store and changelog have it. Immutable, but for what the state itself allows.</summary>
internal sealed class Snapshot
{
    /// <summary>The aggregate's version.</summary>
    public required long Version { get; init; }

    /// <summary>The partition of its events.</summary>
    public required int Partition { get; init; }

    /// <summary>The offset of its last event.</summary>
    public required long Offset { get; init; }

    /// <summary>When the command of its last event was created, UTC.</summary>
    public required DateTimeOffset Time { get; init; }

    /// <summary>The last commands that led to events, oldest first.</summary>
    public required IReadOnlyList<SnapshotCommand> Commands { get; init; }

    /// <summary>The state; null: the mark of aggregates that were dropped, which says up to which event; or <see cref="Mark"/>.</summary>
    public required object? State { get; init; }

    /// <summary>That the snapshots before it have all events up to its own; null: it does not say so.</summary>
    public SnapshotMark? Mark { get; init; }
}

/// <summary>A command that has led to events of an aggregate.</summary>
/// <param name="Id">The command id.</param>
/// <param name="Version">The aggregate's version after it.</param>
/// <param name="Offset">The offset of its last event.</param>
/// <param name="Digest">What the command was, as the header <see cref="Header"/> of its events says; empty: they have none.</param>
internal readonly record struct SnapshotCommand(string Id, long Version, long Offset, string Digest)
{
    /// <summary>The header that nodes write, so that the id of one command is not taken for another.</summary>
    public const string Header = "kes_commanddigest";
}

/// <summary>
/// Which log the snapshots of a partition are of: what a node must know that restores from them. It is in the partition, and committed with
/// the snapshots before it, so that whoever sees it has seen them.
/// </summary>
/// <param name="EventsTopic">The id of the events topic, as Kafka's tools show it; empty when brokers have no topic ids.</param>
/// <param name="SnapshotsTopic">The id of the topic of the snapshots, likewise.</param>
/// <param name="FromOffset">The offset of the first event that was folded.</param>
/// <param name="RecentCommands">How many commands snapshots remember, the least of all that were ever set.</param>
internal sealed record SnapshotMark(string EventsTopic, string SnapshotsTopic, long FromOffset, int RecentCommands)
{
    /// <summary>The next one, with the topics as they are and the number of commands as it is set; null: the topics are others.</summary>
    public SnapshotMark? Next(string eventsTopic, string snapshotsTopic, int recentCommands) =>
        IsAnother(EventsTopic, eventsTopic) || IsAnother(SnapshotsTopic, snapshotsTopic)
            ? null
            : new SnapshotMark(eventsTopic, snapshotsTopic, FromOffset, Math.Min(RecentCommands, recentCommands));

    private static bool IsAnother(string before, string now) => before.Length > 0 && now.Length > 0 && before != now;
}
