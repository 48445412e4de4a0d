using System.Buffers.Binary;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>A timestamp, and the offset of the batch that has it.</summary>
internal readonly record struct TimestampOffset(long Timestamp, long Offset);

/// <summary>
/// The <c>.timeindex</c> of a segment: the largest timestamp so far, and its offset. Kafka's format: int64 timestamp, int32 offset relative to the base. One writer; lookups take no lock.
/// </summary>
internal sealed class TimeIndex(long baseOffset)
{
    public const int EntrySize = 12;

    private TimestampOffset[] _entries = [];
    private int _count;
    private int _written;

    public int Count => Volatile.Read(ref _count);

    public TimestampOffset Last => _count == 0 ? new TimestampOffset(-1, baseOffset) : _entries[_count - 1];

    /// <summary>Appends when both are above the last entry's.</summary>
    public void MaybeAppend(long timestamp, long offset)
    {
        if (timestamp <= Last.Timestamp || (_count > 0 && offset <= Last.Offset))
            return;
        if (_count == _entries.Length)
            Array.Resize(ref _entries, Math.Max(16, _count * 2));
        _entries[_count] = new TimestampOffset(timestamp, offset);
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>The last entry at or below <paramref name="timestamp"/>; (-1, base offset) when there is none.</summary>
    public TimestampOffset Lookup(long timestamp)
    {
        int count = Volatile.Read(ref _count);
        TimestampOffset[] entries = Volatile.Read(ref _entries);
        int low = 0;
        int high = count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (entries[middle].Timestamp <= timestamp)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return high < 0 ? new TimestampOffset(-1, baseOffset) : entries[high];
    }

    /// <summary>Forgets entries of <paramref name="offset"/> and above.</summary>
    public void TruncateToOffset(long offset)
    {
        while (_count > 0 && _entries[_count - 1].Offset >= offset)
            _count--;
        _written = Math.Min(_written, _count);
    }

    /// <summary>Takes the file's entries; false when they are not ascending.</summary>
    public bool TryLoad(string path)
    {
        if (!File.Exists(path))
            return false;
        byte[] file = File.ReadAllBytes(path);
        if (file.Length % EntrySize != 0)
            return false;
        var entries = new TimestampOffset[file.Length / EntrySize];
        var last = new TimestampOffset(-1, -1);
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = Decode(file.AsSpan(i * EntrySize));
            if (entries[i].Timestamp <= last.Timestamp || entries[i].Offset <= last.Offset)
                return false;
            last = entries[i];
        }

        _entries = entries;
        _written = entries.Length;
        Volatile.Write(ref _count, entries.Length);
        return true;
    }

    /// <summary>The last entry of the file, without the others; null when the file is missing, empty or torn.</summary>
    public TimestampOffset? ReadLast(string path)
    {
        if (!File.Exists(path))
            return null;
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        long length = RandomAccess.GetLength(file);
        if (length == 0 || length % EntrySize != 0)
            return null;
        Span<byte> entry = stackalloc byte[EntrySize];
        RandomAccess.Read(file, entry, length - EntrySize);
        return Decode(entry);
    }

    public void Reset() => _count = _written = 0;

    /// <summary>Brings the file up to the entries.</summary>
    public void Write(string path)
    {
        using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        byte[] added = new byte[(_count - _written) * EntrySize];
        for (int i = _written; i < _count; i++)
        {
            Span<byte> entry = added.AsSpan((i - _written) * EntrySize);
            BinaryPrimitives.WriteInt64BigEndian(entry, _entries[i].Timestamp);
            BinaryPrimitives.WriteInt32BigEndian(entry[8..], checked((int)(_entries[i].Offset - baseOffset)));
        }

        FileWrite.At(file, added, (long)_written * EntrySize);
        RandomAccess.SetLength(file, (long)_count * EntrySize);
        _written = _count;
    }

    private TimestampOffset Decode(ReadOnlySpan<byte> entry) => new(BinaryPrimitives.ReadInt64BigEndian(entry), baseOffset + BinaryPrimitives.ReadInt32BigEndian(entry[8..]));
}
