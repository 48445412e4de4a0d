using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>An entry of an index: what is looked up, and where it leads. Both ascend.</summary>
internal interface IIndexEntry
{
    long Key { get; }

    long Value { get; }
}

/// <summary>
/// A sparse, ascending index of a segment: entries of one size in memory, and the file that is brought up to them. One writer; lookups take
/// no lock.
/// </summary>
internal abstract class AbstractIndex<TEntry>(long baseOffset, int entrySize)
    where TEntry : struct, IIndexEntry
{
    private TEntry[] _entries = [];
    private int _count;
    private int _written;

    public int Count => Volatile.Read(ref _count);

    /// <summary>The size of the file once it is brought up to the entries.</summary>
    public int SizeInBytes => Count * entrySize;

    protected long BaseOffset => baseOffset;

    protected TEntry? LastEntry => _count == 0 ? null : _entries[_count - 1];

    public void Reset() => _count = _written = 0;

    /// <summary>Brings the file up to the entries.</summary>
    public void Write(string path)
    {
        using SafeFileHandle file = FileWrite.Open(path);
        byte[] added = new byte[(_count - _written) * entrySize];
        for (int i = _written; i < _count; i++)
            Encode(_entries[i], added.AsSpan((i - _written) * entrySize, entrySize));
        FileWrite.At(file, added, (long)_written * entrySize);
        RandomAccess.SetLength(file, (long)_count * entrySize);
        _written = _count;
    }

    protected abstract void Encode(in TEntry entry, Span<byte> bytes);

    protected abstract TEntry Decode(ReadOnlySpan<byte> bytes);

    /// <summary>
    /// Takes the file's entries; false when it is missing or torn, they do not ascend, or one leads to <paramref name="limit"/> or behind
    /// it.
    /// </summary>
    protected bool TryLoadEntries(string path, long limit)
    {
        if (!File.Exists(path))
            return false;
        byte[] file = File.ReadAllBytes(path);
        if (file.Length % entrySize != 0)
            return false;
        var entries = new TEntry[file.Length / entrySize];
        (long lastKey, long lastValue) = (-1, -1);
        for (int i = 0; i < entries.Length; i++)
        {
            TEntry entry = Decode(file.AsSpan(i * entrySize, entrySize));
            if (entry.Key <= lastKey || entry.Value <= lastValue || entry.Value >= limit)
                return false;
            (lastKey, lastValue) = (entry.Key, entry.Value);
            entries[i] = entry;
        }

        _entries = entries;
        _written = entries.Length;
        Volatile.Write(ref _count, entries.Length);
        return true;
    }

    protected void Append(in TEntry entry)
    {
        if (_count == _entries.Length)
            Array.Resize(ref _entries, Math.Max(16, _count * 2));
        _entries[_count] = entry;
        Volatile.Write(ref _count, _count + 1);
    }

    /// <summary>The last entry whose key is not above <paramref name="key"/>; null when there is none.</summary>
    protected TEntry? Floor(long key)
    {
        int count = Volatile.Read(ref _count);
        TEntry[] entries = Volatile.Read(ref _entries);
        int low = 0;
        int high = count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            if (entries[middle].Key <= key)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return high < 0 ? null : entries[high];
    }

    /// <summary>Forgets the entries that lead to <paramref name="value"/> or behind it.</summary>
    protected void TruncateTo(long value)
    {
        while (_count > 0 && _entries[_count - 1].Value >= value)
            _count--;
        _written = Math.Min(_written, _count);
    }
}
