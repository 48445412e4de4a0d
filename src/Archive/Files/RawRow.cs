using System.Buffers.Binary;
using ParquetSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>A record that is to be written; bytes are in <see cref="PinnedBytes"/>, and those that are null have no address.</summary>
internal struct RawRow
{
    public long Offset;
    public long Timestamp;
    public int TimestampType;
    public bool IsEvent;
    public long Version;
    public long Time;
    public int? SchemaId;
    public ByteArray? Key;
    public ByteArray? Value;
    public ByteArray? EventType;
    public ByteArray CommandId;
    public ByteArray? CorrelationId;
    public int FirstHeader;
    public int Headers;

    /// <summary>The first bytes of the key, as a number in their order; null is before all.</summary>
    public ulong KeyOrder;

    public static ulong OrderOf(ReadOnlySpan<byte> key)
    {
        Span<byte> first = stackalloc byte[sizeof(ulong)];
        first.Clear();
        key[..Math.Min(key.Length, first.Length)].CopyTo(first);
        return BinaryPrimitives.ReadUInt64BigEndian(first);
    }
}
