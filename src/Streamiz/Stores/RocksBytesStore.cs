using RocksDbSharp;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Crosscutting;
using Streamiz.Kafka.Net.Errors;
using Streamiz.Kafka.Net.Processors;
using Streamiz.Kafka.Net.State;
using Streamiz.Kafka.Net.State.Enumerator;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// The bytes of a store in RocksDB, written in batches: what is put is in the database at the next flush or question, all of it at once.
/// There is no write-ahead log, as the changelog is one: after a crash the database is an earlier one, and
/// <see cref="DurableCheckpoints"/> speaks of nothing that is not on disk. A restore puts up to <see cref="BatchBytes"/> together.
/// Thread-safe.
/// </summary>
internal sealed class RocksBytesStore(string name, DurableCheckpoints? checkpoints) : IKeyValueStore<Bytes, byte[]>, IDisposable
{
    private const int BatchBytes = 1024 * 1024;
    private const ulong WriteBufferBytes = 8 * 1024 * 1024;
    private const ulong BlockCacheBytes = 32 * 1024 * 1024;

    private static readonly Cache Blocks = Cache.CreateLru(BlockCacheBytes); // of all stores of the process
    private static readonly WriteOptions WithoutLog = new WriteOptions().DisableWal(1);
    private static readonly FlushOptions AndWait = new FlushOptions().SetWaitForFlush(true);

    private readonly Lock _lock = new();
    private WriteBatch _batch = new();
    private int _batchBytes;
    private RocksDb? _database;

    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public bool Persistent => true;

    /// <inheritdoc/>
    public bool IsLocally => true;

    /// <inheritdoc/>
    public bool IsOpen => _database is not null;

    private RocksDb Database => _database ?? throw new InvalidStateStoreException($"The store '{name}' is not open.");

    /// <summary>Opens the database in the folder of the task. Streamiz does it again after it has closed a store.</summary>
    public void Init(ProcessorContext context, IStateStore root)
    {
        lock (_lock)
        {
            // Where Streamiz has its own.
            string folder = Path.Combine(context.StateDir, "rocksdb", name);
            Directory.CreateDirectory(folder);
            DbOptions options = new DbOptions().SetCreateIfMissing(true).SetMaxOpenFiles(256).SetKeepLogFileNum(2)
                .SetMaxLogFileSize(1024UL * 1024).SetCompression(Compression.No).SetWriteBufferSize(WriteBufferBytes)
                .SetBlockBasedTableFactory(new BlockBasedTableOptions().SetBlockCache(Blocks)
                    .SetFilterPolicy(BloomFilterPolicy.Create(10, false)));
            try
            {
                _database = RocksDb.Open(options, folder);
            }
            catch (RocksDbException failed)
            {
                throw new ProcessorStateException($"The store {folder} cannot be opened: {failed.Message} If another process uses this "
                    + "folder, end it or give another one; a damaged store may be deleted, it is filled again from its changelog.",
                    failed);
            }
        }

        checkpoints?.Add(context.Id, this);
        context.Register(root, (key, value, _) => Put(key, value));
    }

    /// <summary>The value; null: there is none.</summary>
    public byte[] Get(Bytes key)
    {
        lock (_lock)
        {
            WriteOut();
            return Database.Get(key.Get)!; // Streamiz' interface does not say what may be null
        }
    }

    /// <summary>Puts a value; null: deletes it.</summary>
    public void Put(Bytes key, byte[]? value)
    {
        lock (_lock)
        {
            if (value is null)
                _batch.Delete(key.Get);
            else
                _batch.Put(key.Get, value);
            _batchBytes += key.Get.Length + (value?.Length ?? 0);
            if (_batchBytes >= BatchBytes)
                WriteOut();
        }
    }

    /// <inheritdoc/>
    public byte[] PutIfAbsent(Bytes key, byte[] value)
    {
        lock (_lock)
        {
            byte[]? known = Get(key);
            if (known is null)
                Put(key, value);
            return known!;
        }
    }

    /// <inheritdoc/>
    public void PutAll(IEnumerable<KeyValuePair<Bytes, byte[]>> entries)
    {
        lock (_lock)
        {
            foreach ((Bytes key, byte[] value) in entries)
                Put(key, value);
        }
    }

    /// <inheritdoc/>
    public byte[] Delete(Bytes key)
    {
        lock (_lock)
        {
            byte[]? known = Get(key);
            Put(key, null);
            return known!;
        }
    }

    /// <summary>
    /// The entries from <paramref name="from"/> to <paramref name="to"/>, both included, as of now; null: from the first, to the last.
    /// </summary>
    public IEnumerable<KeyValuePair<byte[], byte[]>> Between(byte[]? from, byte[]? to, bool forward)
    {
        Iterator iterator;
        lock (_lock)
        {
            WriteOut();
            iterator = Database.NewIterator(); // of the database as it is now, whatever is written meanwhile
        }

        return Walk(iterator, from, to, forward);
    }

    /// <inheritdoc/>
    public IKeyValueEnumerator<Bytes, byte[]> Range(Bytes from, Bytes to) => Enumerate(Between(from.Get, to.Get, forward: true));

    /// <inheritdoc/>
    public IKeyValueEnumerator<Bytes, byte[]> ReverseRange(Bytes from, Bytes to) => Enumerate(Between(from.Get, to.Get, forward: false));

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<Bytes, byte[]>> All() => Between(null, null, forward: true).Select(Wrapped);

    /// <inheritdoc/>
    public IEnumerable<KeyValuePair<Bytes, byte[]>> ReverseAll() => Between(null, null, forward: false).Select(Wrapped);

    /// <inheritdoc/>
    public long ApproximateNumEntries()
    {
        lock (_lock)
        {
            WriteOut();
            return long.Parse(Database.GetProperty("rocksdb.estimate-num-keys"), System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    /// <summary>
    /// Writes what was put into the database. It is on disk when <see cref="WriteToDisk"/> or <see cref="Close"/> returns; at once where
    /// nobody calls that.
    /// </summary>
    public void Flush()
    {
        lock (_lock)
            WriteOut();
        if (checkpoints is null)
            WriteToDisk();
    }

    /// <summary>Brings all that was put to disk.</summary>
    public void WriteToDisk()
    {
        lock (_lock)
        {
            if (_database is null)
                return;
            WriteOut();
            _database.Flush(AndWait);
        }
    }

    /// <summary>Closes the database with all that was put. A store that is closed stays so.</summary>
    public void Close()
    {
        checkpoints?.Remove(this);
        lock (_lock)
        {
            if (_database is null)
                return;
            WriteOut();
            _database.Flush(AndWait);
            _database.Dispose();
            _database = null;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close();
        _batch.Dispose();
    }

    private static IEnumerable<KeyValuePair<byte[], byte[]>> Walk(Iterator iterator, byte[]? from, byte[]? to, bool forward)
    {
        using (iterator)
        {
            if (forward)
                _ = from is null ? iterator.SeekToFirst() : iterator.Seek(from);
            else
                _ = to is null ? iterator.SeekToLast() : iterator.SeekForPrev(to);
            for (; iterator.Valid(); _ = forward ? iterator.Next() : iterator.Prev())
            {
                byte[] key = iterator.Key();
                if (forward ? to is not null && key.AsSpan().SequenceCompareTo(to) > 0
                    : from is not null && key.AsSpan().SequenceCompareTo(from) < 0)
                    break;
                yield return KeyValuePair.Create(key, iterator.Value());
            }
        }
    }

    private static StoreEnumerator<Bytes, byte[]> Enumerate(IEnumerable<KeyValuePair<byte[], byte[]>> entries) =>
        new(entries.Select(Wrapped));

    private static KeyValuePair<Bytes, byte[]> Wrapped(KeyValuePair<byte[], byte[]> entry) =>
        KeyValuePair.Create(Bytes.Wrap(entry.Key), entry.Value);

    private void WriteOut()
    {
        if (_batchBytes == 0)
            return;
        Database.Write(_batch, WithoutLog);
        _batch.Clear();
        _batchBytes = 0;
    }
}
