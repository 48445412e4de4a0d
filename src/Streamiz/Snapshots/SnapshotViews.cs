namespace KafkaEventSourcing.Streamiz;

/// <summary>Snapshots with the type of their state.</summary>
internal static class SnapshotViews
{
    /// <summary><paramref name="snapshot"/> of the aggregate <paramref name="id"/>.</summary>
    public static StreamSnapshot<TState> Of<TState>(AggregateId id, Snapshot snapshot)
        where TState : class =>
        new(id, snapshot.Version, (TState)snapshot.State!, new ConsistencyToken(snapshot.Partition, snapshot.Offset), snapshot.Time);
}
