using System.Buffers.Binary;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Which events the aggregates of a store have that it was filled with from event streams. Unlike those of a barrier they are not all as of
/// one event: each is as of its own last one.
/// </summary>
/// <param name="Before">All events before this offset are in them.</param>
/// <param name="Ahead">No event from this offset on is in any of them.</param>
internal readonly record struct SnapshotCover(long Before, long Ahead)
{
    private const int Length = 2 * sizeof(long);

    /// <summary>Reads what <see cref="ToBytes"/> wrote; null: there is nothing.</summary>
    public static SnapshotCover? Read(byte[]? bytes) => bytes is { Length: Length }
        ? new SnapshotCover(BinaryPrimitives.ReadInt64BigEndian(bytes), BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(sizeof(long))))
        : null;

    /// <summary>It as it is stored.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[Length];
        BinaryPrimitives.WriteInt64BigEndian(bytes, Before);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(sizeof(long)), Ahead);
        return bytes;
    }
}
