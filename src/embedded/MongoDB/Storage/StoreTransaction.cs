using RocksDbSharp;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>
/// Writes that take effect together, and reads that see them. A multi-document transaction reads as of its start; what somebody else has changed since, or is changing now, is a write conflict. Used by one
/// thread at a time.
/// </summary>
internal sealed class StoreTransaction : IDisposable
{
    private readonly DocumentStore _store;
    private readonly Snapshot? _snapshot;
    private readonly ReadOptions? _asOfStart;
    private readonly Dictionary<byte[], byte[]?> _writes = new(ByteKeyComparer.Instance);
    private readonly List<byte[]> _owned = [];
    private readonly long _started;
    private bool _ended;
    private SortedDictionary<byte[], byte[]?>? _sorted;

    public StoreTransaction(DocumentStore store, bool isMultiDocument)
    {
        _store = store;
        IsMultiDocument = isMultiDocument;
        if (!isMultiDocument)
            return;
        (_snapshot, _started) = store.StartSnapshot();
        _asOfStart = new ReadOptions().SetSnapshot(_snapshot);
    }

    public bool IsMultiDocument { get; }

    public bool HasWrites => _writes.Count > 0;

    /// <summary>Completes when the transaction has ended.</summary>
    public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public byte[]? Get(byte[] key) => _writes.TryGetValue(key, out byte[]? written) ? written : _store.Database.Get(key, readOptions: _asOfStart);

    /// <summary>Before a document is changed: nobody else may be changing it, nor have changed it since this transaction started.</summary>
    public void Own(byte[] documentKey)
    {
        if (!IsMultiDocument)
        {
            _store.WaitForOwner(documentKey);
            return;
        }

        if (_store.TryOwn(documentKey, this, out bool isNew))
        {
            if (isNew)
                _owned.Add(documentKey);
            if (!isNew || !_store.ChangedSince(documentKey, _started))
                return;
        }

        throw new MongoCommandException(MongoErrorCode.WriteConflict, "Caused by :: Write conflict during plan execution and yielding is disabled. :: Please retry your operation or multi-document transaction.")
        {
            Labels = ["TransientTransactionError"],
        };
    }

    public void Put(byte[] key, byte[] value)
    {
        _writes[key] = value;
        _sorted = null;
    }

    public void Delete(byte[] key)
    {
        _writes[key] = null;
        _sorted = null;
    }

    /// <summary>Keys from <paramref name="from"/> on that are below <paramref name="to"/>, in order, with the transaction's own writes.</summary>
    public IEnumerable<(byte[] Key, byte[] Value)> Scan(byte[] from, byte[] to)
    {
        using IEnumerator<(byte[] Key, byte[] Value)> stored = Stored(from, to).GetEnumerator();
        bool hasStored = stored.MoveNext();
        if (_writes.Count > 0)
        {
            _sorted ??= new SortedDictionary<byte[], byte[]?>(_writes, ByteKeyComparer.Instance);
            foreach ((byte[] key, byte[]? value) in _sorted.SkipWhile(w => ByteKeyComparer.Instance.Compare(w.Key, from) < 0).TakeWhile(w => ByteKeyComparer.Instance.Compare(w.Key, to) < 0).ToArray())
            {
                while (hasStored && ByteKeyComparer.Instance.Compare(stored.Current.Key, key) < 0)
                {
                    yield return stored.Current;
                    hasStored = stored.MoveNext();
                }

                if (hasStored && ByteKeyComparer.Instance.Equals(stored.Current.Key, key))
                    hasStored = stored.MoveNext();
                if (value is not null)
                    yield return (key, value);
            }
        }

        while (hasStored)
        {
            yield return stored.Current;
            hasStored = stored.MoveNext();
        }
    }

    public void Commit()
    {
        if (_writes.Count == 0)
            return;
        using var batch = new WriteBatch();
        // In the order of the keys: the memtable then finds each place beside the one before it.
        byte[][] keys = [.. _writes.Keys];
        Array.Sort(keys, ByteKeyComparer.Instance);
        foreach (byte[] key in keys)
        {
            if (_writes[key] is { } value)
                batch.Put(key, value);
            else
                batch.Delete(key);
        }

        _store.Database.Write(batch);
        _store.Committed(keys, hasSnapshot: _snapshot is not null);
    }

    public void Dispose()
    {
        if (_ended)
            return;
        _ended = true;
        _store.Release(_owned);
        if (_snapshot is not null)
            _store.EndSnapshot(_snapshot, _started);
        Ended.TrySetResult();
    }

    private IEnumerable<(byte[] Key, byte[] Value)> Stored(byte[] from, byte[] to)
    {
        using Iterator iterator = _store.Database.NewIterator(readOptions: _asOfStart);
        for (iterator.Seek(from); iterator.Valid(); iterator.Next())
        {
            byte[] key = iterator.Key();
            if (ByteKeyComparer.Instance.Compare(key, to) >= 0)
                yield break;
            yield return (key, iterator.Value());
        }
    }
}
