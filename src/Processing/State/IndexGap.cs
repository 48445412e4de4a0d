namespace KafkaEventSourcing.Processing;

/// <summary>
/// Events that a store does not have by aggregate and version, though its aggregates have them: it was filled from snapshots, or by a
/// version that kept places alone. <see cref="IndexBackfill"/> makes it smaller.
/// </summary>
/// <param name="From">The first offset that may lack.</param>
/// <param name="To">The first behind it that does not.</param>
internal sealed record IndexGap(long From, long To)
{
    /// <summary>Nothing lacks.</summary>
    public static IndexGap None { get; } = new(0, 0);

    /// <summary>Whether nothing lacks.</summary>
    public bool IsEmpty => From >= To;

    /// <summary>Reads what <see cref="ToBytes"/> wrote; null: there is nothing.</summary>
    public static IndexGap? Read(byte[]? bytes) => OffsetPair.Read(bytes) is var (from, to) ? new IndexGap(from, to) : null;

    /// <summary>It as it is stored.</summary>
    public byte[] ToBytes() => OffsetPair.ToBytes(From, To);
}
