using System.Buffers.Binary;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>An offset relative to the base of its segment, and where its batch starts in the file.</summary>
internal readonly record struct OffsetPosition(uint RelativeOffset, uint Position) : IIndexEntry
{
    public long Key => RelativeOffset;

    public long Value => Position;
}

/// <summary>
/// The <c>.index</c> of a segment: offset and file position. Kafka's format: int32 offset relative to the base, int32 position.
/// </summary>
internal sealed class OffsetIndex(long baseOffset) : AbstractIndex<OffsetPosition>(baseOffset, EntrySize)
{
    public const int EntrySize = 8;

    public long LastOffset => BaseOffset + (LastEntry?.RelativeOffset ?? 0);

    public void Append(long offset, long position)
    {
        if (Count > 0 && offset <= LastOffset)
            throw new InvalidOperationException($"The offset {offset} is not above the last one of the index, {LastOffset}.");
        Append(new OffsetPosition((uint)(offset - BaseOffset), (uint)position));
    }

    /// <summary>The position of the last entry at or below <paramref name="offset"/>; 0 when there is none.</summary>
    public long Lookup(long offset) => Floor(offset - BaseOffset)?.Position ?? 0;

    /// <summary>Forgets entries at or above <paramref name="position"/> of the log.</summary>
    public void TruncateToPosition(long position) => TruncateTo(position);

    /// <summary>
    /// Takes the file's entries; false when it is missing, torn or not ascending, or points out of a log of <paramref name="logSize"/>
    /// bytes.
    /// </summary>
    public bool TryLoad(string path, long logSize) => TryLoadEntries(path, logSize);

    protected override void Encode(in OffsetPosition entry, Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, entry.RelativeOffset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], entry.Position);
    }

    protected override OffsetPosition Decode(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(bytes), BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]));
}
