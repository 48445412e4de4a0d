using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>A timestamp, and the offset of the batch that has it.</summary>
internal readonly record struct TimestampOffset(long Timestamp, long Offset) : IIndexEntry
{
    public long Key => Timestamp;

    public long Value => Offset;
}

/// <summary>
/// The <c>.timeindex</c> of a segment: the largest timestamp so far, and its offset. Kafka's format: int64 timestamp, int32 offset relative
/// to the base.
/// </summary>
internal sealed class TimeIndex(long baseOffset) : AbstractIndex<TimestampOffset>(baseOffset, EntrySize)
{
    public const int EntrySize = 12;

    public TimestampOffset Last => LastEntry ?? None;

    private TimestampOffset None => new(-1, BaseOffset);

    /// <summary>Appends when both are above the last entry's.</summary>
    public void MaybeAppend(long timestamp, long offset)
    {
        if (timestamp > Last.Timestamp && (Count == 0 || offset > Last.Offset))
            Append(new TimestampOffset(timestamp, offset));
    }

    /// <summary>The last entry at or below <paramref name="timestamp"/>; (-1, base offset) when there is none.</summary>
    public TimestampOffset Lookup(long timestamp) => Floor(timestamp) ?? None;

    /// <summary>Forgets entries of <paramref name="offset"/> and above.</summary>
    public void TruncateToOffset(long offset) => TruncateTo(offset);

    /// <summary>Takes the file's entries; false when it is missing, torn or not ascending.</summary>
    public bool TryLoad(string path) => TryLoadEntries(path, limit: long.MaxValue);

    /// <summary>The last entry of the file, without the others; null when the file is missing, empty or torn.</summary>
    public TimestampOffset? ReadLast(string path)
    {
        if (!File.Exists(path))
            return null;
        using SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        long length = RandomAccess.GetLength(file);
        if (length == 0 || length % EntrySize != 0)
            return null;
        Span<byte> entry = stackalloc byte[EntrySize];
        RandomAccess.Read(file, entry, length - EntrySize);
        return Decode(entry);
    }

    protected override void Encode(in TimestampOffset entry, Span<byte> bytes)
    {
        BinaryPrimitives.WriteInt64BigEndian(bytes, entry.Timestamp);
        BinaryPrimitives.WriteInt32BigEndian(bytes[8..], checked((int)(entry.Offset - BaseOffset)));
    }

    protected override TimestampOffset Decode(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadInt64BigEndian(bytes), BaseOffset + BinaryPrimitives.ReadInt32BigEndian(bytes[8..]));
}
