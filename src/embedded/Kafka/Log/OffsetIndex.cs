using System.Buffers.Binary;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// The <c>.index</c> of a segment: offset and file position, sparse, ascending. Kafka's format: int32 offset relative to the base, int32 position. One writer; lookups take no lock.
/// </summary>
internal sealed class OffsetIndex(long baseOffset)
{
    public const int EntrySize = 8;

    private long[] _entries = [];
    private int _count;
    private int _written;

    public int Count => Volatile.Read(ref _count);

    public long LastOffset => _count == 0 ? baseOffset : OffsetOf(_entries[_count - 1]);

    public void Append(long offset, long position)
    {
        if (_count > 0 && offset <= LastOffset)
            throw new InvalidOperationException($"The offset {offset} is not above the last one of the index, {LastOffset}.");
        if (_count == _entries.Length)
            Array.Resize(ref _entries, Math.Max(16, _count * 2));
        _entries[_count] = ((offset - baseOffset) << 32) | (uint)position;
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>The position of the last entry at or below <paramref name="offset"/>; 0 when there is none.</summary>
    public long Lookup(long offset)
    {
        int count = Volatile.Read(ref _count);
        long[] entries = Volatile.Read(ref _entries);
        int low = 0;
        int high = count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (OffsetOf(entries[middle]) <= offset)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return high < 0 ? 0 : (uint)entries[high];
    }

    /// <summary>Forgets entries at or above <paramref name="position"/> of the log.</summary>
    public void TruncateToPosition(long position)
    {
        while (_count > 0 && (uint)_entries[_count - 1] >= position)
            _count--;
        _written = Math.Min(_written, _count);
    }

    /// <summary>Takes the file's entries; false when they are not ascending, or point out of a log of <paramref name="logSize"/> bytes.</summary>
    public bool TryLoad(string path, long logSize)
    {
        byte[] file = File.Exists(path) ? File.ReadAllBytes(path) : [];
        if (file.Length % EntrySize != 0 || (file.Length == 0 && !File.Exists(path)))
            return false;
        long[] entries = new long[file.Length / EntrySize];
        (long lastOffset, long lastPosition) = (-1, -1);
        for (int i = 0; i < entries.Length; i++)
        {
            int offset = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(i * EntrySize));
            int position = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan((i * EntrySize) + 4));
            if (offset <= lastOffset || position <= lastPosition || position >= logSize)
                return false;
            (lastOffset, lastPosition) = (offset, position);
            entries[i] = ((long)offset << 32) | (uint)position;
        }

        _entries = entries;
        _written = entries.Length;
        Volatile.Write(ref _count, entries.Length);
        return true;
    }

    public void Reset() => _count = _written = 0;

    /// <summary>Brings the file up to the entries.</summary>
    public void Write(string path)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        byte[] added = new byte[(_count - _written) * EntrySize];
        for (int i = _written; i < _count; i++)
            BinaryPrimitives.WriteInt64BigEndian(added.AsSpan((i - _written) * EntrySize), _entries[i]);
        FileWrite.At(file, added, (long)_written * EntrySize);
        RandomAccess.SetLength(file, (long)_count * EntrySize);
        _written = _count;
    }

    private long OffsetOf(long entry) => baseOffset + (entry >>> 32);
}
