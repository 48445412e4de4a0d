using System.Buffers.Binary;

namespace KafkaEventSourcing.Processing;

/// <summary>Two offsets as a store has them: eight bytes each, the most significant first.</summary>
internal static class OffsetPair
{
    private const int Length = 2 * sizeof(long);

    /// <summary>Reads what <see cref="ToBytes"/> wrote; null: there is nothing.</summary>
    public static (long One, long Other)? Read(byte[]? bytes) => bytes is { Length: Length }
        ? (BinaryPrimitives.ReadInt64BigEndian(bytes), BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(sizeof(long))))
        : null;

    /// <summary>Both as they are stored.</summary>
    public static byte[] ToBytes(long one, long other)
    {
        byte[] bytes = new byte[Length];
        BinaryPrimitives.WriteInt64BigEndian(bytes, one);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(sizeof(long)), other);
        return bytes;
    }
}
