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

    /// <summary>The state; null: the mark of aggregates that were dropped, which says up to which event.</summary>
    public required object? State { get; init; }
}

/// <summary>A command that has led to events of an aggregate.</summary>
/// <param name="Id">The command id.</param>
/// <param name="Version">The aggregate's version after it.</param>
/// <param name="Offset">The offset of its last event.</param>
internal readonly record struct SnapshotCommand(string Id, long Version, long Offset);
