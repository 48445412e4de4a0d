using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.Processors;
using Streamiz.Kafka.Net.SerDes;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.State.Enumerator;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// A store that keeps what it was asked for decoded, and writes what has changed when Streamiz commits: once a key, however often it has
/// changed since, to the changelog and to RocksDB. Streamiz' own stores encode, decode, write and publish at every change, and its cache
/// keeps bytes.
/// </summary>
/// <remarks>
/// <para>What it promises. All changes are in the changelog before the offsets of what they come from are committed: Streamiz flushes
/// stores, then the producer, then commits. Under exactly-once all of them are in one transaction. Under at-least-once a crash in the
/// middle of a flush leaves some keys newer than the committed offsets, and none older, as with every store of Streamiz: whoever folds must
/// know what it has of a key, by the key's own version or offset.</para>
/// <para>Where one key says something of others, the order counts. A flush writes values first, then marks, which are keys that begin
/// with a zero byte, then deletions: when a mark is in the changelog, all that was put before is in it too.</para>
/// <para>After an aborted transaction the database is ahead of the changelog, as with every store of Streamiz. What is put again then is
/// written again, also when it is the same object. What was not flushed when the partition or the transaction was lost is never written:
/// Streamiz flushes once more then, and another process may have newer values in the changelog.</para>
/// <para>Values must not change once they were put. One thread writes; reads are thread-safe, and see what is not committed yet.</para>
/// </remarks>
internal sealed class StateTable<T> : IKeyValueStore<byte[], T?>
    where T : class
{
    private const int EntryOverhead = 200; // of an entry, its key and the object around the value

    private readonly IKeyValueStore<byte[], byte[]?> _logged;
    private readonly RocksBytesStore _bytes;
    private readonly ISerDes<T> _values;
    private readonly long _cacheBytes;
    private readonly ThreadOwnership? _ownership;
    private readonly Lock _lock = new();
    private readonly Dictionary<byte[], Entry> _entries = new(KeyComparer.Instance);
    private readonly LinkedList<Entry> _byUse = []; // the least recently used one first; those that have changed are not in it
    private readonly List<Entry> _changed = [];
    private SerializationContext _context;
    private long _size;
    private int _usualBytes = 1024; // of a value that was not encoded yet

    /// <summary>
    /// Keeps values in <paramref name="bytes"/> and, through <paramref name="logged"/>, which Streamiz made around it, in the changelog.
    /// About <paramref name="cacheBytes"/> of values are kept decoded; 0: each change is written at once. What was put is not written when
    /// it is lost by <paramref name="ownership"/>.
    /// </summary>
    public StateTable(IKeyValueStore<byte[], byte[]?> logged, RocksBytesStore bytes, ISerDes<T> values, long cacheBytes,
        ThreadOwnership? ownership) =>
        (_logged, _bytes, _values, _cacheBytes, _ownership) = (logged, bytes, values, cacheBytes, ownership);

    /// <summary>
    /// Called before it is closed. Streamiz does not close a processor that is behind a transformer, so nobody else can tell queries.
    /// </summary>
    public Action? Closing { get; set; }

    /// <inheritdoc/>
    public string Name => _bytes.Name;

    /// <inheritdoc/>
    public bool Persistent => true;

    /// <inheritdoc/>
    public bool IsLocally => true;

    /// <inheritdoc/>
    public bool IsOpen => _bytes.IsOpen;

    /// <summary>Streamiz restores behind this: it begins with nothing, also when it was closed before.</summary>
    public void Init(ProcessorContext context, IStateStore root)
    {
        lock (_lock)
            Forget();
        _context = new SerializationContext(MessageComponentType.Value, $"{context.ApplicationId}-{Name}-changelog");
        _logged.Init(context, root);
    }

    /// <inheritdoc/>
    public T? Get(byte[] key)
    {
        lock (_lock)
        {
            if (_entries.TryGetValue(key, out Entry? known))
            {
                Use(known);
                return known.Value;
            }

            byte[]? bytes = _bytes.Get(Bytes.Wrap(key));
            if (bytes is null)
                return null;
            T value = _values.Deserialize(bytes, _context);
            var entry = new Entry(key, value) { Size = key.Length + bytes.Length + EntryOverhead };
            _entries.Add(key, entry);
            entry.Use = _byUse.AddLast(entry);
            _size += entry.Size;
            MakeRoom();
            return value;
        }
    }

    /// <summary>Puts a value; null: deletes it. It is written at the next commit, or when there is no room.</summary>
    public void Put(byte[] key, T? value)
    {
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out Entry? entry))
            {
                entry = new Entry(key, value) { Size = key.Length + _usualBytes + EntryOverhead };
                _entries.Add(key, entry);
                _size += entry.Size;
            }

            entry.Value = value;
            if (!entry.IsChanged)
            {
                entry.IsChanged = true;
                _changed.Add(entry);
                if (entry.Use is { } use)
                    _byUse.Remove(use);
                entry.Use = null;
            }

            MakeRoom();
        }
    }

    /// <inheritdoc/>
    public T? PutIfAbsent(byte[] key, T? value)
    {
        lock (_lock)
        {
            T? known = Get(key);
            if (known is null)
                Put(key, value);
            return known;
        }
    }

    /// <inheritdoc/>
    public void PutAll(IEnumerable<KeyValuePair<byte[], T?>> entries)
    {
        lock (_lock)
        {
            foreach ((byte[] key, T? value) in entries)
                Put(key, value);
        }
    }

    /// <inheritdoc/>
    public T? Delete(byte[] key)
    {
        lock (_lock)
        {
            T? known = Get(key);
            Put(key, null);
            return known;
        }
    }

    /// <inheritdoc/>
    public IKeyValueEnumerator<byte[], T?> Range(byte[] from, byte[] to) =>
        new StoreEnumerator<byte[], T?>(Between(from, to, forward: true));

    /// <inheritdoc/>
    public IKeyValueEnumerator<byte[], T?> ReverseRange(byte[] from, byte[] to) =>
        new StoreEnumerator<byte[], T?>(Between(from, to, forward: false));

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<byte[], T?>> All() => Between(null, null, forward: true);

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<byte[], T?>> ReverseAll() => Between(null, null, forward: false);

    /// <inheritdoc/>
    public long ApproximateNumEntries() => _bytes.ApproximateNumEntries();

    /// <summary>Writes what has changed to the changelog and to the database.</summary>
    public void Flush()
    {
        lock (_lock)
            WriteChanges();
        _logged.Flush();
    }

    /// <inheritdoc/>
    public void Close()
    {
        Closing?.Invoke();
        // What was not flushed was not committed, and nobody publishes it any more: it is folded again.
        lock (_lock)
            Forget();
        _logged.Close();
    }

    private IEnumerable<KeyValuePair<byte[], T?>> Between(byte[]? from, byte[]? to, bool forward)
    {
        SortedList<byte[], T?> changed;
        IEnumerable<KeyValuePair<byte[], byte[]>> written;
        lock (_lock)
        {
            changed = new SortedList<byte[], T?>(forward ? KeyComparer.Instance : KeyComparer.Backwards);
            foreach (Entry entry in _changed.Where(e => KeyComparer.IsBetween(e.Key, from, to)))
                changed.Add(entry.Key, entry.Value);
            written = _bytes.Between(from, to, forward);
        }

        return Merge(written, changed);
    }

    // What has changed takes the place of what is written.
    private IEnumerable<KeyValuePair<byte[], T?>> Merge(IEnumerable<KeyValuePair<byte[], byte[]>> written,
        SortedList<byte[], T?> changed)
    {
        int next = 0;
        foreach ((byte[] key, byte[] bytes) in written)
        {
            int order = 1;
            for (; next < changed.Count && (order = changed.Comparer.Compare(changed.Keys[next], key)) <= 0; next++)
            {
                if (changed.Values[next] is { } value)
                    yield return KeyValuePair.Create(changed.Keys[next], (T?)value);
                if (order == 0)
                    break;
            }

            if (next < changed.Count && order == 0)
                next++;
            else
                yield return KeyValuePair.Create(key, (T?)_values.Deserialize(bytes, _context));
        }

        for (; next < changed.Count; next++)
        {
            if (changed.Values[next] is { } value)
                yield return KeyValuePair.Create(changed.Keys[next], (T?)value);
        }
    }

    private void Use(Entry entry)
    {
        if (entry.Use is not { } use)
            return;
        _byUse.Remove(use);
        _byUse.AddLast(use);
    }

    // What has not changed goes first: it costs nothing to let go.
    private void MakeRoom()
    {
        if (_size <= _cacheBytes)
            return;
        LetGo();
        if (_size <= _cacheBytes)
            return;
        WriteChanges();
        LetGo();
    }

    private void LetGo()
    {
        while (_size > _cacheBytes && _byUse.First is { } oldest)
        {
            _byUse.RemoveFirst();
            _entries.Remove(oldest.Value.Key);
            _size -= oldest.Value.Size;
        }
    }

    private void WriteChanges()
    {
        // What is lost stays until the store is closed: queries have seen it.
        if (_changed.Count == 0 || _ownership?.IsLost == true)
            return;
        _ownership?.Confirm();
        Write(static entry => entry.Value is not null && !entry.IsMark);
        Write(static entry => entry.Value is not null && entry.IsMark);
        Write(static entry => entry.Value is null);
        foreach (Entry entry in _changed)
        {
            entry.IsChanged = false;
            if (entry.Value is null)
            {
                _entries.Remove(entry.Key);
                _size -= entry.Size;
            }
            else
            {
                entry.Use = _byUse.AddLast(entry);
            }
        }

        _changed.Clear();
    }

    private void Write(Func<Entry, bool> which)
    {
        foreach (Entry entry in _changed)
        {
            if (!which(entry))
                continue;
            byte[]? bytes = entry.Value is null ? null : _values.Serialize(entry.Value, _context);
            _logged.Put(entry.Key, bytes);
            _size -= entry.Size;
            entry.Size = entry.Key.Length + (bytes?.Length ?? 0) + EntryOverhead;
            _size += entry.Size;
            if (bytes is not null)
                _usualBytes = ((7 * _usualBytes) + bytes.Length) / 8;
        }
    }

    private void Forget()
    {
        _entries.Clear();
        _byUse.Clear();
        _changed.Clear();
        _size = 0;
    }

    private sealed class Entry(byte[] key, T? value)
    {
        public byte[] Key => key;

        public T? Value { get; set; } = value;

        public long Size { get; set; }

        public bool IsChanged { get; set; }

        public bool IsMark => key is [0, ..];

        public LinkedListNode<Entry>? Use { get; set; }
    }
}
