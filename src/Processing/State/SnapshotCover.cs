namespace KafkaEventSourcing.Processing;

/// <summary>
/// Which events the aggregates of a store have that it was filled with from event streams. Unlike those of a barrier they are not all as of
/// one event: each is as of its own last one.
/// </summary>
/// <param name="Before">All events before this offset are in them.</param>
/// <param name="Ahead">No event from this offset on is in any of them.</param>
internal readonly record struct SnapshotCover(long Before, long Ahead)
{
    /// <summary>Reads what <see cref="ToBytes"/> wrote; null: there is nothing.</summary>
    public static SnapshotCover? Read(byte[]? bytes) =>
        OffsetPair.Read(bytes) is var (before, ahead) ? new SnapshotCover(before, ahead) : null;

    /// <summary>It as it is stored.</summary>
    public byte[] ToBytes() => OffsetPair.ToBytes(Before, Ahead);
}
