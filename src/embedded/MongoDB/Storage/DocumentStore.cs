using System.Collections.Immutable;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using RocksDbSharp;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>
/// Collections, documents and indexes in RocksDB. Writes outside multi-document transactions are made one at a time; reads are concurrent.
/// </summary>
internal sealed class DocumentStore : IDisposable
{
    /// <summary>The collection's number and that of the index of <c>_id</c>, before the id in a document's key.</summary>
    internal const int DocumentKeyPrefix = 2 * sizeof(int);

    private const int MaxPlainFields = 64;
    private const int IndexBuildBatch = 50_000;

    [ThreadStatic]
    private static KeyString? s_entry;

    [ThreadStatic]
    private static KeyString? s_oldEntry;

    private readonly WriteOptions _writeOptions = new();
    private readonly Lock _catalogLock = new();
    private long _commits;
    private volatile string? _storageFault;
    private ImmutableSortedDictionary<string, CollectionDefinition> _collections;
    private int _nextCollection;

    public DocumentStore(string directory, EmbeddedMongoDBOptions settings)
    {
        Options = settings;
        // A commit is in the order of its keys: each is put beside the one before it.
        Native.Instance.rocksdb_writeoptions_set_memtable_insert_hint_per_batch(_writeOptions.Handle, 1);
        Database = DocumentDatabase.Open(directory, settings);
        (_nextCollection, _collections) = Catalog.Read(Database);
    }

    public RocksDb Database { get; }

    /// <summary>Who changes what.</summary>
    internal ConflictTable Conflicts { get; } = new();

    public EmbeddedMongoDBOptions Options { get; }

    /// <summary>Held by whoever writes outside a multi-document transaction, and by commits.</summary>
    public Lock WriteLock { get; } = new();

    public IReadOnlyCollection<CollectionDefinition> Collections => [.. _collections.Values];

    public void Dispose() => Database.Dispose();

    public CollectionDefinition? Find(string database, string name) => _collections.GetValueOrDefault($"{database}.{name}");

    public CollectionDefinition GetOrCreate(string database, string name)
    {
        if (Find(database, name) is { } present)
            return present;
        lock (_catalogLock)
        {
            if (Find(database, name) is { } meanwhile)
                return meanwhile;
            Catalog.CheckName(database, name);
            var id = new IndexDefinition(0, "_id_", new BsonDocument("_id", 1), Unique: false, Sparse: false);
            var created = new CollectionDefinition(Catalog.NewId(), database, name, _nextCollection++, [id], 1);
            SaveCatalog(_collections.Add(created.Namespace, created));
            return created;
        }
    }

    /// <summary>Makes an index over the documents that there are; false when it exists.</summary>
    public bool CreateIndex(CollectionDefinition collection, string name, BsonDocument keys, bool unique, bool sparse)
    {
        lock (WriteLock)
        lock (_catalogLock)
        {
            collection = Find(collection.Database, collection.Name)!;
            if (collection.Indexes.FirstOrDefault(i => i.Name == name || i.Keys == keys) is { } present)
            {
                if (present.Name == name && present.Keys == keys && present.Unique == unique)
                    return false;
                throw new MongoCommandException(MongoErrorCode.IndexOptionsConflict,
                    $"An equivalent index already exists with the same name or keys but different options: {present.ToBson()}");
            }

            var index = new IndexDefinition(collection.NextIndex, name, keys, unique, sparse);
            BuildIndex(collection, index);
            Replace(collection with { Indexes = [.. collection.Indexes, index], NextIndex = index.Number + 1 });
            return true;
        }
    }

    // Written in parts, so that a large collection needs little memory: until the catalog names the index nobody reads it.
    private void BuildIndex(CollectionDefinition collection, IndexDefinition index)
    {
        DeleteRange(Prefix(collection, index.Number), Prefix(collection, index.Number + 1)); // what a build left that failed or was cut off
        using var documents = new StoreTransaction(this, isMultiDocument: false);
        foreach (BsonDocument[] part in ScanDocuments(collection, documents).Chunk(IndexBuildBatch))
        {
            using var transaction = new StoreTransaction(this, isMultiDocument: false);
            foreach (BsonDocument document in part)
                AddIndexEntries(collection, index, document, transaction);
            transaction.Commit();
        }
    }

    public void DropIndexes(CollectionDefinition collection, Func<IndexDefinition, bool> which)
    {
        lock (WriteLock)
        lock (_catalogLock)
        {
            collection = Find(collection.Database, collection.Name)!;
            foreach (IndexDefinition index in collection.Indexes.Where(i => i.Number != 0 && which(i)))
                DeleteRange(Prefix(collection, index.Number), Prefix(collection, index.Number + 1));
            Replace(collection with { Indexes = [.. collection.Indexes.Where(i => i.Number == 0 || !which(i))] });
        }
    }

    public bool Drop(string database, string name)
    {
        lock (WriteLock)
        lock (_catalogLock)
        {
            if (Find(database, name) is not { } collection)
                return false;
            SaveCatalog(_collections.Remove(collection.Namespace));
            DeleteRange(Prefix(collection, 0), new KeyString().Int32(collection.Number + 1).ToArray());
            return true;
        }
    }

    public void Rename(CollectionDefinition collection, string database, string name)
    {
        lock (_catalogLock)
        {
            Catalog.CheckName(database, name);
            CollectionDefinition renamed = collection with { Database = database, Name = name };
            SaveCatalog(_collections.Remove(collection.Namespace).SetItem(renamed.Namespace, renamed));
        }
    }

    public byte[] DocumentKey(CollectionDefinition collection, BsonValue id) =>
        new KeyString().Int32(collection.Number).Int32(0).Append(id).ToArray();

    public BsonDocument? Get(CollectionDefinition collection, BsonValue id, StoreTransaction transaction) =>
        transaction.Get(DocumentKey(collection, id)) is { } bytes ? Parse(bytes) : null;

    /// <summary>All documents, in the order of their ids.</summary>
    public IEnumerable<BsonDocument> ScanDocuments(CollectionDefinition collection, StoreTransaction transaction) =>
        transaction.Scan(Prefix(collection, 0), Prefix(collection, 1)).Select(entry => Parse(entry.Value));

    /// <summary>The documents that index entries in the range name, in the order of the index, each once.</summary>
    public IEnumerable<BsonDocument> ScanIndex(byte[] from, byte[] to, StoreTransaction transaction)
    {
        var seen = new HashSet<byte[]>(ByteKeyComparer.Instance);
        foreach ((_, byte[] documentKey) in transaction.Scan(from, to))
        {
            if (seen.Add(documentKey) && transaction.Get(documentKey) is { } bytes)
                yield return Parse(bytes);
        }
    }

    /// <summary>Inserts a document.</summary>
    /// <exception cref="MongoCommandException">A unique index has its values already.</exception>
    public void Insert(CollectionDefinition collection, BsonDocument document, byte[] bytes, StoreTransaction transaction)
    {
        byte[] key = DocumentKey(collection, document["_id"]);
        transaction.Own(key);
        if (transaction.Get(key) is not null)
            throw IndexEntries.Duplicate(collection, collection.Indexes[0], document);
        byte[][] entries = [.. collection.Indexes.Where(i => i.Number != 0).SelectMany(i =>
            CheckedEntries(collection, i, document, key, transaction))];
        foreach (byte[] entry in entries)
            transaction.Put(entry, key);
        transaction.Put(key, bytes);
    }

    /// <summary>
    /// Inserts a document by its bytes. False, and nothing is done: it has no plain <c>_id</c>, or an index over an array or a path.
    /// </summary>
    /// <exception cref="MongoCommandException">A unique index has its values already.</exception>
    public bool TryInsert(CollectionDefinition collection, ReadOnlySpan<byte> document, StoreTransaction transaction)
    {
        RawBson.Check(document);
        PlainIndexes plain = collection.Plain;
        if (plain.Entries is null || plain.Fields > MaxPlainFields)
            return false;
        ReadOnlySpan<byte> key = DocumentKeys.From(collection, document);
        Span<PlainField> fields = stackalloc PlainField[plain.Fields];
        if (key.IsEmpty || !plain.TryFind(document, fields))
            return false;
        transaction.Own(key);
        if (transaction.Contains(key))
            throw IndexEntries.Duplicate(collection, collection.Indexes[0], Parse(document.ToArray()));
        AddPlainEntries(collection, document, fields, key, transaction);
        transaction.Put(key, document);
        return true;
    }

    /// <summary>
    /// Replaces the document with the <c>_id</c> of <paramref name="document"/>, or inserts it if it may; null, and nothing is done: it has
    /// to take the general way. The present one must have <paramref name="condition"/>, a 64-bit number, unless that has no name.
    /// </summary>
    public (bool Matched, bool Modified)? TryReplace(CollectionDefinition collection, ReadOnlySpan<byte> document, RawElement condition,
        bool upsert, StoreTransaction transaction)
    {
        RawBson.Check(document);
        PlainIndexes plain = collection.Plain;
        if (plain.Entries is not { } indexes || plain.Fields > MaxPlainFields)
            return null;
        ReadOnlySpan<byte> key = DocumentKeys.From(collection, document);
        Span<PlainField> fields = stackalloc PlainField[plain.Fields];
        if (key.IsEmpty || !plain.TryFind(document, fields))
            return null;
        if (transaction.Get(key) is not { } before)
        {
            if (!upsert)
                return (false, false);
            transaction.Own(key);
            AddPlainEntries(collection, document, fields, key, transaction);
            transaction.Put(key, document);
            return (false, true);
        }

        if (!condition.Name.IsEmpty)
        {
            if (!RawBson.TryFind(before, condition.Name, out RawElement present) || present.Type != condition.Type)
                return null;
            if (!present.Value.SequenceEqual(condition.Value))
                return upsert ? null : (false, false);
        }

        if (document.SequenceEqual(before))
            return (true, false);
        Span<PlainField> oldFields = stackalloc PlainField[plain.Fields];
        if (!plain.TryFind(before, oldFields))
            return null;
        transaction.Own(key);
        foreach (PlainIndex index in indexes)
        {
            ReadOnlySpan<byte> old = PlainIndexes.Entry(s_oldEntry ??= new KeyString(), collection.Number, index, before, oldFields, key);
            ReadOnlySpan<byte> now = PlainIndexes.Entry(s_entry ??= new KeyString(), collection.Number, index, document, fields, key);
            if (old.SequenceEqual(now))
                continue;
            transaction.Delete(old);
            transaction.Put(now, key);
        }

        transaction.Put(key, document);
        return (true, true);
    }

    public void Update(CollectionDefinition collection, BsonDocument before, BsonDocument after, StoreTransaction transaction)
    {
        byte[] key = DocumentKey(collection, before["_id"]);
        transaction.Own(key);
        byte[] bytes = after.ToBson();
        IndexDefinition[] indexes = [.. collection.Indexes.Where(i => i.Number != 0)];
        List<byte[]>[] now = [.. indexes.Select(i => CheckedEntries(collection, i, after, key, transaction))];
        for (int i = 0; i < indexes.Length; i++)
        {
            byte[][] old = [.. EntriesOf(collection, indexes[i], before, key)];
            if (old.Length == now[i].Count && old.Zip(now[i]).All(p => p.First.AsSpan().SequenceEqual(p.Second)))
                continue;
            foreach (byte[] entry in old)
                transaction.Delete(entry);
            foreach (byte[] entry in now[i])
                transaction.Put(entry, key);
        }

        transaction.Put(key, bytes);
    }

    public void Delete(CollectionDefinition collection, BsonDocument document, StoreTransaction transaction)
    {
        byte[] key = DocumentKey(collection, document["_id"]);
        transaction.Own(key);
        foreach (IndexDefinition index in collection.Indexes)
        {
            if (index.Number == 0)
                continue;
            foreach (byte[] entry in EntriesOf(collection, index, document, key))
                transaction.Delete(entry);
        }

        transaction.Delete(key);
    }

    public byte[] Prefix(CollectionDefinition collection, int index) => new KeyString().Int32(collection.Number).Int32(index).ToArray();

    /// <summary>What a transaction reads, and the number of the last commit that it sees.</summary>
    internal (Snapshot Snapshot, long Commits) StartSnapshot()
    {
        lock (WriteLock)
        {
            Conflicts.Start(_commits);
            return (Database.CreateSnapshot(), _commits);
        }
    }

    internal void EndSnapshot(Snapshot snapshot, long commits)
    {
        snapshot.Dispose();
        Conflicts.End(commits);
    }

    /// <summary>Why nothing can be written now, as on a full disk; null: the last commit was.</summary>
    public string? StorageFault => _storageFault;

    /// <summary>Writes a commit; called with the write lock held.</summary>
    /// <exception cref="MongoCommandException">It cannot be written; nothing of it is there.</exception>
    internal void Write(WriteBatch batch, List<ulong> changed, bool ofTransaction)
    {
        const string inputOutput = "IO error: "; // RocksDB's C interface has no codes: its statuses begin so
        try
        {
            Database.Write(batch, _writeOptions);
        }
        catch (RocksDbException full) when (full.Message.StartsWith(inputOutput, StringComparison.Ordinal))
        {
            _storageFault = full.Message[inputOutput.Length..];
            throw new MongoCommandException(MongoErrorCode.OutOfDiskSpace, $"Nothing is written: {_storageFault}");
        }

        _storageFault = null;
        Conflicts.Committed(changed, ++_commits, ofTransaction);
    }

    private static BsonDocument Parse(byte[] bytes) => BsonSerializer.Deserialize<BsonDocument>(bytes);

    private static void AddPlainEntries(CollectionDefinition collection, ReadOnlySpan<byte> document, ReadOnlySpan<PlainField> fields,
        ReadOnlySpan<byte> documentKey, StoreTransaction transaction)
    {
        foreach (PlainIndex index in collection.Plain.Entries!)
            transaction.Put(PlainIndexes.Entry(s_entry ??= new KeyString(), collection.Number, index, document, fields, documentKey),
                documentKey);
    }

    private void AddIndexEntries(CollectionDefinition of, IndexDefinition index, BsonDocument document, StoreTransaction transaction)
    {
        byte[] documentKey = DocumentKey(of, document["_id"]);
        foreach (byte[] entry in CheckedEntries(of, index, document, documentKey, transaction))
            transaction.Put(entry, documentKey);
    }

    // All of them before one is put: a statement that fails leaves nothing behind.
    private List<byte[]> CheckedEntries(CollectionDefinition collection, IndexDefinition index, BsonDocument document, byte[] documentKey,
        StoreTransaction transaction)
    {
        var entries = new List<byte[]>();
        foreach ((byte[] entry, int valuesLength) in IndexEntries.From(collection, index, document, documentKey))
        {
            if (index.Unique)
            {
                byte[] from = entry[..valuesLength];
                transaction.Own(from);
                byte[] to = [.. from, 0xff];
                foreach ((_, byte[] other) in transaction.Scan(from, to))
                {
                    if (!other.AsSpan().SequenceEqual(documentKey))
                        throw IndexEntries.Duplicate(collection, index, document);
                }
            }

            entries.Add(entry);
        }

        if (entries.Count > 1 && !index.MayHaveArrays)
        {
            lock (_catalogLock)
            {
                index.MayHaveArrays = true;
                SaveCatalog(_collections);
            }
        }

        return entries;
    }

    private static IEnumerable<byte[]> EntriesOf(CollectionDefinition of, IndexDefinition index, BsonDocument document, byte[] key) =>
        IndexEntries.From(of, index, document, key).Select(e => e.Entry);

    private void Replace(CollectionDefinition collection) => SaveCatalog(_collections.SetItem(collection.Namespace, collection));

    private void DeleteRange(byte[] from, byte[] to)
    {
        using var batch = new WriteBatch();
        batch.DeleteRange(from, (ulong)from.Length, to, (ulong)to.Length);
        Database.Write(batch);
    }

    // Before it is so: what cannot be kept, as on a full disk, does not happen.
    private void SaveCatalog(ImmutableSortedDictionary<string, CollectionDefinition> collections)
    {
        Catalog.Write(Database, _nextCollection, collections.Values);
        _collections = collections;
    }
}
