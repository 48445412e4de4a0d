using KafkaEventSourcing.Embedded.MongoDB.Commands;
using RocksDbSharp;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>
/// Writes that take effect together, and reads that see them. A multi-document transaction reads as of its start; what somebody else has
/// changed since, or is changing now, is a write conflict. Used by one thread at a time.
/// </summary>
internal sealed class StoreTransaction : IDisposable
{
    private readonly DocumentStore _store;
    private readonly Snapshot? _snapshot;
    private readonly ReadOptions? _asOfStart;
    private readonly WriteSet _writes = new();
    private readonly List<ulong> _owned = [];
    private readonly long _started = long.MaxValue; // a single write sees every commit
    private bool _ended;

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

    /// <summary>Completes when the transaction has ended.</summary>
    public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public byte[]? Get(ReadOnlySpan<byte> key) =>
        !_writes.TryGet(key, out bool isDeleted, out ReadOnlySpan<byte> written)
            ? _store.Database.Get(key, readOptions: _asOfStart)
            : isDeleted
            ? null
            : written.ToArray();

    public bool Contains(ReadOnlySpan<byte> key) =>
        _writes.TryGet(key, out bool isDeleted, out _) ? !isDeleted : _store.Database.HasKey(key, readOptions: _asOfStart);

    /// <summary>
    /// Before a document is changed, or a value of a unique index is taken: nobody else may be doing so, nor have done so since this
    /// transaction started.
    /// </summary>
    public void Own(ReadOnlySpan<byte> key)
    {
        Operation.Check();
        ulong hash = ConflictTable.HashOf(key);
        if (_store.Conflicts.TryOwn(hash, this, _started, out bool isNew, out StoreTransaction? other))
        {
            if (isNew)
                _owned.Add(hash);
            return;
        }

        // A single write waits for the transaction that is changing the document, as the server does.
        throw IsMultiDocument || other is null
            ? new MongoCommandException(MongoErrorCode.WriteConflict,
                "Caused by :: Write conflict during plan execution and yielding is disabled. :: Please retry your operation or "
                    + "multi-document transaction.")
            {
                Labels = ["TransientTransactionError"],
            }
            : new OwnedByTransactionException(other.Ended.Task);
    }

    /// <exception cref="MongoCommandException">The transaction has become larger than
    /// <see cref="EmbeddedMongoDBOptions.MaxTransactionBytes"/>.</exception>
    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        _writes.Put(key, value);
        if (_writes.Bytes > _store.Options.MaxTransactionBytes)
            throw new MongoCommandException(MongoErrorCode.TransactionTooLarge,
                $"The writes of one transaction or command take more than {_store.Options.MaxTransactionBytes} bytes; make it smaller, or "
                    + $"raise {nameof(EmbeddedMongoDBOptions.MaxTransactionBytes)}.");
    }

    public void Delete(ReadOnlySpan<byte> key) => _writes.Delete(key);

    /// <summary>
    /// Keys from <paramref name="from"/> on that are below <paramref name="to"/>, in order, with the transaction's own writes.
    /// </summary>
    public IEnumerable<(byte[] Key, byte[] Value)> Scan(byte[] from, byte[] to)
    {
        using IEnumerator<(byte[] Key, byte[] Value)> stored = Stored(from, to).GetEnumerator();
        bool hasStored = stored.MoveNext();
        if (_writes.Count > 0)
        {
            foreach ((byte[] key, byte[]? value) in _writes.Range(from, to))
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
        _writes.AddTo(batch);
        _store.Write(batch, _owned, ofTransaction: _snapshot is not null);
    }

    public void Dispose()
    {
        if (_ended)
            return;
        _ended = true;
        _store.Conflicts.Release(_owned);
        if (_snapshot is not null)
            _store.EndSnapshot(_snapshot, _started);
        _writes.Dispose();
        Ended.TrySetResult();
    }

    private IEnumerable<(byte[] Key, byte[] Value)> Stored(byte[] from, byte[] to)
    {
        using Iterator iterator = _store.Database.NewIterator(readOptions: _asOfStart);
        for (iterator.Seek(from); iterator.Valid(); iterator.Next())
        {
            Operation.Check();
            if (_ended)
                throw new MongoCommandException(MongoErrorCode.NoSuchTransaction, "The transaction that this cursor is of has ended.");
            byte[] key = iterator.Key();
            if (ByteKeyComparer.Instance.Compare(key, to) >= 0)
                yield break;
            yield return (key, iterator.Value());
        }
    }
}
