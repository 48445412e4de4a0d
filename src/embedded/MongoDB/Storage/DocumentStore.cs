using System.Collections.Concurrent;
using System.Collections.Immutable;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using RocksDbSharp;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>Collections, documents and indexes in RocksDB. Writes outside multi-document transactions are made one at a time; reads are concurrent.</summary>
internal sealed class DocumentStore : IDisposable
{
    private const ulong WriteBufferBytes = 96UL * 1024 * 1024; // one that is filled, one that is flushed
    private const ulong BlockCacheBytes = 64UL * 1024 * 1024;
    private const int DocumentKeyPrefix = 2 * sizeof(int);
    private const int MinChanged = 100_000;
    private static readonly byte[] CatalogKey = [0];

    [ThreadStatic]
    private static KeyString? s_key;

    private readonly ConcurrentDictionary<byte[], StoreTransaction> _owners = new(ByteKeyComparer.Instance);
    private readonly ConcurrentDictionary<byte[], long> _changed = new(ByteKeyComparer.Instance);
    private readonly Lock _catalogLock = new();
    private readonly List<long> _snapshots = []; // the commits that each open transaction sees
    private long _commits;
    private int _sweepAbove = MinChanged;
    private ImmutableSortedDictionary<string, CollectionDefinition> _collections = ImmutableSortedDictionary<string, CollectionDefinition>.Empty.WithComparers(StringComparer.Ordinal);
    private int _nextCollection = 1;

    public DocumentStore(string directory)
    {
        DbOptions options = new DbOptions()
            .SetCreateIfMissing(true)
            .SetWriteBufferSize(WriteBufferBytes)
            .SetLevel0FileNumCompactionTrigger(6)
            .SetMaxBackgroundCompactions(2)
            .SetMaxOpenFiles(512)
            .SetKeepLogFileNum(2)
            .SetCompression(Compression.No)
            .SetBlockBasedTableFactory(new BlockBasedTableOptions().SetFilterPolicy(BloomFilterPolicy.Create(10, false)).SetBlockCache(Cache.CreateLru(BlockCacheBytes)));
        try
        {
            Database = RocksDb.Open(options, directory);
        }
        catch (RocksDbException failed)
        {
            throw new IOException($"The MongoDB data folder {directory} cannot be opened: {failed.Message} If another process uses it, end that one, or name another folder.", failed);
        }

        LoadCatalog();
    }

    public RocksDb Database { get; }

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
            CheckName(database, name);
            var id = new IndexDefinition(0, "_id_", new BsonDocument("_id", 1), Unique: false, Sparse: false);
            var created = new CollectionDefinition(database, name, _nextCollection++, [id], 1);
            _collections = _collections.Add(created.Namespace, created);
            SaveCatalog();
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
                throw new MongoCommandException(MongoErrorCode.IndexOptionsConflict, $"An equivalent index already exists with the same name or keys but different options: {present.ToBson()}");
            }

            var index = new IndexDefinition(collection.NextIndex, name, keys, unique, sparse);
            using var transaction = new StoreTransaction(this, isMultiDocument: false);
            foreach (BsonDocument document in ScanDocuments(collection, transaction))
                AddIndexEntries(collection, index, document, transaction);
            transaction.Commit();
            Replace(collection with { Indexes = [.. collection.Indexes, index], NextIndex = index.Number + 1 });
            return true;
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
            _collections = _collections.Remove(collection.Namespace);
            SaveCatalog();
            DeleteRange(Prefix(collection, 0), new KeyString().Int32(collection.Number + 1).ToArray());
            return true;
        }
    }

    public void Rename(CollectionDefinition collection, string database, string name)
    {
        lock (_catalogLock)
        {
            CheckName(database, name);
            CollectionDefinition renamed = collection with { Database = database, Name = name };
            _collections = _collections.Remove(collection.Namespace).SetItem(renamed.Namespace, renamed);
            SaveCatalog();
        }
    }

    public byte[] DocumentKey(CollectionDefinition collection, BsonValue id) => new KeyString().Int32(collection.Number).Int32(0).Append(id).ToArray();

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
            throw Duplicate(collection, collection.Indexes[0], new BsonDocument("_id", document["_id"]));
        foreach (IndexDefinition index in collection.Indexes)
        {
            if (index.Number != 0)
                AddIndexEntries(collection, index, document, transaction, key);
        }

        transaction.Put(key, bytes);
    }

    /// <summary>
    /// Inserts a document by its bytes, which stay as they are; false, and nothing is done, when it has to take the general way: no plain <c>_id</c>, or an index over an array, a document or a path.
    /// </summary>
    /// <exception cref="MongoCommandException">A unique index has its values already.</exception>
    public bool TryInsert(CollectionDefinition collection, byte[] document, StoreTransaction transaction)
    {
        RawBson.Check(document);
        if (KeyOf(collection, document) is not { } key || !IndexedPlainly(collection, document))
            return false;
        transaction.Own(key);
        if (transaction.Get(key) is not null)
            throw Duplicate(collection, collection.Indexes[0], new BsonDocument("_id", Parse(document)["_id"]));
        AddPlainEntries(collection, document, key, transaction);
        transaction.Put(key, document);
        return true;
    }

    /// <summary>Replaces the document with the <c>_id</c> of <paramref name="document"/>, or inserts it if it may; null, and nothing is done, when it has to take the general way.</summary>
    public (bool Matched, bool Modified)? TryReplace(CollectionDefinition collection, byte[] document, bool upsert, StoreTransaction transaction)
    {
        RawBson.Check(document);
        if (KeyOf(collection, document) is not { } key || !IndexedPlainly(collection, document))
            return null;
        if (transaction.Get(key) is not { } before)
        {
            if (!upsert)
                return (false, false);
            transaction.Own(key);
            AddPlainEntries(collection, document, key, transaction);
            transaction.Put(key, document);
            return (false, true);
        }

        if (before.AsSpan().SequenceEqual(document))
            return (true, false);
        if (!IndexedPlainly(collection, before))
            return null;
        transaction.Own(key);
        foreach (IndexDefinition index in collection.Indexes)
        {
            if (index.Number == 0)
                continue;
            byte[] old = PlainEntry(collection, index, before, key);
            byte[] now = PlainEntry(collection, index, document, key);
            if (old.AsSpan().SequenceEqual(now))
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
        foreach (IndexDefinition index in collection.Indexes)
        {
            if (index.Number == 0)
                continue;
            byte[][] old = [.. EntriesOf(collection, index, before, key)];
            byte[][] now = [.. EntriesOf(collection, index, after, key)];
            if (old.Length == now.Length && old.Zip(now).All(p => p.First.AsSpan().SequenceEqual(p.Second)))
                continue;
            foreach (byte[] entry in old)
                transaction.Delete(entry);
            AddIndexEntries(collection, index, after, transaction, key);
        }

        transaction.Put(key, after.ToBson());
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
            _snapshots.Add(_commits);
            return (Database.CreateSnapshot(), _commits);
        }
    }

    internal void EndSnapshot(Snapshot snapshot, long commits)
    {
        snapshot.Dispose();
        lock (WriteLock)
        {
            _snapshots.Remove(commits);
            if (_snapshots.Count == 0)
                _changed.Clear();
            else if (_changed.Count > _sweepAbove)
                Sweep(_snapshots.Min());
        }
    }

    /// <summary>Remembers which documents were changed while other transactions are open; called with the write lock held.</summary>
    internal void Committed(byte[][] keys, bool hasSnapshot)
    {
        _commits++;
        if (_snapshots.Count == (hasSnapshot ? 1 : 0))
            return;
        foreach (byte[] key in keys)
        {
            if (key.Length > DocumentKeyPrefix && key.AsSpan(sizeof(int), sizeof(int)).IndexOfAnyExcept((byte)0) < 0)
                _changed[key] = _commits;
        }
    }

    // What every open transaction sees is no conflict any more.
    private void Sweep(long seenByAll)
    {
        foreach ((byte[] key, long changed) in _changed)
        {
            if (changed <= seenByAll)
                _changed.TryRemove(key, out _);
        }

        _sweepAbove = Math.Max(MinChanged, 2 * _changed.Count);
    }

    /// <summary>Whether a commit after number <paramref name="commits"/> has changed a document.</summary>
    internal bool ChangedSince(byte[] key, long commits) => _changed.TryGetValue(key, out long changed) && changed > commits;

    internal bool TryOwn(byte[] key, StoreTransaction transaction, out bool isNew)
    {
        isNew = _owners.TryAdd(key, transaction);
        return isNew || (_owners.TryGetValue(key, out StoreTransaction? owner) && owner == transaction);
    }

    internal void Release(List<byte[]> keys)
    {
        foreach (byte[] key in keys)
            _owners.TryRemove(key, out _);
    }

    // A single write waits for the transaction that is changing the document, as the server does.
    internal void WaitForOwner(byte[] key)
    {
        if (_owners.TryGetValue(key, out StoreTransaction? owner))
            throw new OwnedByTransactionException(owner.Ended.Task);
    }

    private static BsonDocument Parse(byte[] bytes) => BsonSerializer.Deserialize<BsonDocument>(bytes);

    private static MongoCommandException Duplicate(CollectionDefinition collection, IndexDefinition index, BsonDocument values) =>
        new(MongoErrorCode.DuplicateKey, $"E11000 duplicate key error collection: {collection.Namespace} index: {index.Name} dup key: {values}") { KeyPattern = index.Keys, KeyValue = values };

    private static void CheckName(string database, string name)
    {
        if (database.Length == 0 || database.Any(c => c is '/' or '\\' or '.' or ' ' or '"' or '$' or '\0') || name.Length == 0 || name.Contains('$', StringComparison.Ordinal) || name.Contains('\0', StringComparison.Ordinal) || name.StartsWith("system.", StringComparison.Ordinal))
            throw new MongoCommandException(MongoErrorCode.InvalidNamespace, $"Invalid namespace specified '{database}.{name}'");
    }

    // The key of a document whose first field is a plain _id, as every driver sends it.
    private static byte[]? KeyOf(CollectionDefinition collection, byte[] document)
    {
        var fields = new RawBson(document);
        if (!fields.MoveNext() || !fields.Current.Name.SequenceEqual("_id"u8))
            return null;
        KeyString key = (s_key ??= new KeyString()).Reset().Int32(collection.Number).Int32(0);
        return key.TryAppend(fields.Current.Type, fields.Current.Value) ? key.ToArray() : null;
    }

    private static bool IndexedPlainly(CollectionDefinition collection, byte[] document)
    {
        foreach (IndexDefinition index in collection.Indexes)
        {
            if (index.Number == 0)
                continue;
            if (index.Unique || index.Sparse || index.PlainNames is null)
                return false;
            foreach (byte[] name in index.PlainNames)
            {
                if (TypeOf(document, name) is not (BsonType.String or BsonType.Int32 or BsonType.Int64 or BsonType.DateTime or BsonType.ObjectId or BsonType.Boolean or BsonType.Null))
                    return false;
            }
        }

        return true;
    }

    private static BsonType TypeOf(byte[] document, byte[] name)
    {
        var fields = new RawBson(document);
        while (fields.MoveNext())
        {
            if (fields.Current.Name.SequenceEqual(name))
                return fields.Current.Type;
        }

        return BsonType.Null; // an index has the missing as null
    }

    private static void AddPlainEntries(CollectionDefinition collection, byte[] document, byte[] documentKey, StoreTransaction transaction)
    {
        foreach (IndexDefinition index in collection.Indexes)
        {
            if (index.Number != 0)
                transaction.Put(PlainEntry(collection, index, document, documentKey), documentKey);
        }
    }

    private static byte[] PlainEntry(CollectionDefinition collection, IndexDefinition index, byte[] document, byte[] documentKey)
    {
        KeyString key = (s_key ??= new KeyString()).Reset().Int32(collection.Number).Int32(index.Number);
        for (int i = 0; i < index.PlainNames!.Length; i++)
        {
            var fields = new RawBson(document);
            bool found = false;
            while (!found && fields.MoveNext())
                found = fields.Current.Name.SequenceEqual(index.PlainNames[i]);
            bool appended = key.TryAppend(found ? fields.Current.Type : BsonType.Null, found ? fields.Current.Value : [], index.Fields[i].Descending);
            System.Diagnostics.Debug.Assert(appended);
        }

        return key.Raw(documentKey.AsSpan(2 * sizeof(int))).ToArray();
    }

    private void AddIndexEntries(CollectionDefinition collection, IndexDefinition index, BsonDocument document, StoreTransaction transaction, byte[]? documentKey = null)
    {
        documentKey ??= DocumentKey(collection, document["_id"]);
        foreach ((byte[] entry, int valuesLength) in EntriesWithLength(collection, index, document, documentKey))
        {
            if (index.Unique)
            {
                byte[] from = entry[..valuesLength];
                byte[] to = [.. from, 0xff];
                foreach ((_, byte[] other) in transaction.Scan(from, to))
                {
                    if (!other.AsSpan().SequenceEqual(documentKey))
                        throw Duplicate(collection, index, new BsonDocument(index.Fields.Select(f => new BsonElement(f.Path, Query.DocumentPath.Get(document, f.Path) ?? BsonNull.Value))));
                }
            }

            transaction.Put(entry, documentKey);
        }
    }

    private IEnumerable<byte[]> EntriesOf(CollectionDefinition collection, IndexDefinition index, BsonDocument document, byte[] documentKey) =>
        EntriesWithLength(collection, index, document, documentKey).Select(e => e.Entry);

    // One entry for each item of an array ("multikey"); of a compound index at most one field may be an array.
    private static IEnumerable<(byte[] Entry, int ValuesLength)> EntriesWithLength(CollectionDefinition collection, IndexDefinition index, BsonDocument document, byte[] documentKey)
    {
        var values = new BsonValue[index.Fields.Count][];
        bool any = false;
        for (int i = 0; i < values.Length; i++)
        {
            BsonValue?[] reached = [.. Query.DocumentPath.Reach(document, index.Fields[i].Path)];
            any |= Array.Exists(reached, v => v is not null);
            values[i] = [.. reached.SelectMany(v => v is BsonArray { Count: > 0 } array ? [.. array, array] : (IEnumerable<BsonValue>)[v ?? BsonNull.Value]).Distinct(Query.BsonValueComparer.Instance)];
            if (values[i].Length == 0)
                values[i] = [BsonNull.Value];
        }

        if (index.Sparse && !any)
            yield break;
        if (values.Count(v => v.Length > 1) > 1)
            throw new MongoCommandException((MongoErrorCode)171, "cannot index parallel arrays");
        int combinations = values.Max(v => v.Length);
        for (int c = 0; c < combinations; c++)
        {
            KeyString key = new KeyString().Int32(collection.Number).Int32(index.Number);
            for (int i = 0; i < values.Length; i++)
                key.Append(values[i][values[i].Length > 1 ? c : 0], index.Fields[i].Descending);
            byte[] prefix = key.ToArray();
            yield return ([.. prefix, .. documentKey.AsSpan(2 * sizeof(int))], prefix.Length);
        }
    }

    private void Replace(CollectionDefinition collection)
    {
        _collections = _collections.SetItem(collection.Namespace, collection);
        SaveCatalog();
    }

    private void DeleteRange(byte[] from, byte[] to)
    {
        using var batch = new WriteBatch();
        batch.DeleteRange(from, (ulong)from.Length, to, (ulong)to.Length);
        Database.Write(batch);
    }

    private void SaveCatalog() => Database.Put(CatalogKey, new BsonDocument
    {
        { "next", _nextCollection },
        {
            "collections", new BsonArray(_collections.Values.Select(c => new BsonDocument
            {
                { "database", c.Database }, { "name", c.Name }, { "number", c.Number }, { "nextIndex", c.NextIndex },
                { "indexes", new BsonArray(c.Indexes.Select(i => new BsonDocument { { "number", i.Number }, { "name", i.Name }, { "keys", i.Keys }, { "unique", i.Unique }, { "sparse", i.Sparse } })) },
            }))
        },
    }.ToBson());

    private void LoadCatalog()
    {
        if (Database.Get(CatalogKey) is not { } bytes)
            return;
        BsonDocument catalog = Parse(bytes);
        _nextCollection = catalog["next"].AsInt32;
        foreach (BsonDocument c in catalog["collections"].AsBsonArray.Cast<BsonDocument>())
        {
            var collection = new CollectionDefinition(c["database"].AsString, c["name"].AsString, c["number"].AsInt32,
                [.. c["indexes"].AsBsonArray.Select(i => new IndexDefinition(i["number"].AsInt32, i["name"].AsString, i["keys"].AsBsonDocument, i["unique"].AsBoolean, i["sparse"].AsBoolean))], c["nextIndex"].AsInt32);
            _collections = _collections.Add(collection.Namespace, collection);
        }
    }
}
