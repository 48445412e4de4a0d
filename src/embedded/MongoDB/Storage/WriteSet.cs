using System.Buffers;
using RocksDbSharp;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>
/// Keys and what they shall become, in pooled memory: a hash table over entries whose bytes lie in chunks. The newest value of a key
/// counts. Not thread-safe.
/// </summary>
internal sealed class WriteSet : IDisposable
{
    private const int ChunkBytes = 1 << 20;
    private const int Deleted = -1;

    private readonly List<byte[]> _chunks = [];
    private Entry[] _entries = [];
    private int[] _slots = [];
    private int _slotMask = -1;
    private int _used;
    private int[]? _sorted;

    private struct Entry
    {
        public int Hash;
        public int Next;
        public int Chunk;
        public int Key;
        public int KeyLength;
        public int ValueChunk;
        public int Value;
        public int ValueLength;
    }

    public int Count { get; private set; }

    /// <summary>The memory that keys and values take.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether the set says what becomes of <paramref name="key"/>: a value, or its end.</summary>
    public bool TryGet(ReadOnlySpan<byte> key, out bool isDeleted, out ReadOnlySpan<byte> value)
    {
        int at = Find(key, HashOf(key));
        isDeleted = at >= 0 && _entries[at].ValueLength == Deleted;
        value = at < 0 || isDeleted ? default : ValueOf(_entries[at]);
        return at >= 0;
    }

    /// <summary>The key of entry <paramref name="index"/>, in the order in which keys came.</summary>
    public ReadOnlySpan<byte> KeyAt(int index) => KeyOf(_entries[index]);

    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        ref Entry entry = ref EntryOf(key);
        value.CopyTo(Take(value.Length, out entry.ValueChunk, out entry.Value));
        entry.ValueLength = value.Length;
    }

    public void Delete(ReadOnlySpan<byte> key) => EntryOf(key).ValueLength = Deleted;

    /// <summary>
    /// The entries from <paramref name="from"/> on that are below <paramref name="to"/>, in the order of keys; null is deleted.
    /// </summary>
    public (byte[] Key, byte[]? Value)[] Range(byte[] from, byte[] to)
    {
        int[] sorted = Sorted();
        int first = LowerBound(sorted, from);
        int end = LowerBound(sorted, to);
        var range = new (byte[], byte[]?)[Math.Max(0, end - first)];
        for (int i = 0; i < range.Length; i++)
        {
            ref readonly Entry entry = ref _entries[sorted[first + i]];
            range[i] = (KeyOf(entry).ToArray(), entry.ValueLength == Deleted ? null : ValueOf(entry).ToArray());
        }

        return range;
    }

    /// <summary>
    /// Adds everything to <paramref name="batch"/>, in the order of keys: sorted keys go into the memory table with far fewer comparisons.
    /// </summary>
    public void AddTo(WriteBatch batch)
    {
        foreach (int at in Sorted())
        {
            ref readonly Entry entry = ref _entries[at];
            if (entry.ValueLength == Deleted)
                batch.Delete(KeyOf(entry));
            else
                batch.Put(KeyOf(entry), ValueOf(entry));
        }
    }

    public void Dispose()
    {
        foreach (byte[] chunk in _chunks)
            ArrayPool<byte>.Shared.Return(chunk);
        _chunks.Clear();
        if (_entries.Length > 0)
        {
            ArrayPool<Entry>.Shared.Return(_entries);
            ArrayPool<int>.Shared.Return(_slots);
        }

        (_entries, _slots, _slotMask, _sorted, Count) = ([], [], -1, null, 0);
    }

    private static int HashOf(ReadOnlySpan<byte> key)
    {
        var hash = new HashCode();
        hash.AddBytes(key);
        return hash.ToHashCode();
    }

    private ReadOnlySpan<byte> KeyOf(in Entry entry) => _chunks[entry.Chunk].AsSpan(entry.Key, entry.KeyLength);

    private ReadOnlySpan<byte> ValueOf(in Entry entry) =>
        entry.ValueLength <= 0 ? default : _chunks[entry.ValueChunk].AsSpan(entry.Value, entry.ValueLength);

    private int Find(ReadOnlySpan<byte> key, int hash)
    {
        if (Count == 0)
            return -1;
        for (int at = _slots[hash & _slotMask] - 1; at >= 0; at = _entries[at].Next)
        {
            if (_entries[at].Hash == hash && KeyOf(_entries[at]).SequenceEqual(key))
                return at;
        }

        return -1;
    }

    private ref Entry EntryOf(ReadOnlySpan<byte> key)
    {
        int hash = HashOf(key);
        int at = Find(key, hash);
        if (at >= 0)
            return ref _entries[at];
        if (Count > _slotMask)
            Grow();
        _sorted = null;
        at = Count++;
        key.CopyTo(Take(key.Length, out int chunk, out int start));
        ref int slot = ref _slots[hash & _slotMask];
        _entries[at] = new Entry { Hash = hash, Next = slot - 1, Chunk = chunk, Key = start, KeyLength = key.Length };
        slot = at + 1;
        return ref _entries[at];
    }

    private void Grow()
    {
        int size = Math.Max(64, (_slotMask + 1) * 2);
        Entry[] entries = ArrayPool<Entry>.Shared.Rent(size);
        int[] slots = ArrayPool<int>.Shared.Rent(size);
        slots.AsSpan().Clear();
        _slotMask = size - 1;
        for (int i = 0; i < Count; i++)
        {
            ref int slot = ref slots[_entries[i].Hash & _slotMask];
            entries[i] = _entries[i];
            entries[i].Next = slot - 1;
            slot = i + 1;
        }

        if (_entries.Length > 0)
        {
            ArrayPool<Entry>.Shared.Return(_entries);
            ArrayPool<int>.Shared.Return(_slots);
        }

        (_entries, _slots) = (entries, slots);
    }

    private Span<byte> Take(int length, out int chunk, out int start)
    {
        if (_chunks.Count == 0 || _chunks[^1].Length - _used < length)
        {
            _chunks.Add(ArrayPool<byte>.Shared.Rent(Math.Max(ChunkBytes, length)));
            Bytes += _chunks[^1].Length;
            _used = 0;
        }

        (chunk, start) = (_chunks.Count - 1, _used);
        _used += length;
        return _chunks[chunk].AsSpan(start, length);
    }

    private int[] Sorted()
    {
        if (_sorted is not null)
            return _sorted;
        int[] sorted = new int[Count];
        for (int i = 0; i < sorted.Length; i++)
            sorted[i] = i;
        MemoryExtensions.Sort(sorted.AsSpan(), new ByKey(this));
        return _sorted = sorted;
    }

    private int LowerBound(int[] sorted, ReadOnlySpan<byte> key)
    {
        (int low, int high) = (0, sorted.Length);
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (KeyOf(_entries[sorted[middle]]).SequenceCompareTo(key) < 0)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private readonly struct ByKey(WriteSet set) : IComparer<int>
    {
        public int Compare(int x, int y) => set.KeyOf(set._entries[x]).SequenceCompareTo(set.KeyOf(set._entries[y]));
    }
}
