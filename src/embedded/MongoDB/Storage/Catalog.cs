using System.Collections.Immutable;
using System.Security.Cryptography;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using RocksDbSharp;

namespace KafkaEventSourcing.Embedded.MongoDB.Storage;

/// <summary>Which collections and indexes there are, as it is kept: in one document, which is replaced as a whole.</summary>
internal static class Catalog
{
    private static readonly byte[] Key = [0];

    /// <summary>The collections by their namespaces, and the number that the next one gets.</summary>
    public static (int Next, ImmutableSortedDictionary<string, CollectionDefinition> Collections) Read(RocksDb database)
    {
        var collections = ImmutableSortedDictionary<string, CollectionDefinition>.Empty.WithComparers(StringComparer.Ordinal);
        if (database.Get(Key) is not { } bytes)
            return (1, collections);
        BsonDocument catalog = BsonSerializer.Deserialize<BsonDocument>(bytes);
        int next = catalog["next"].AsInt32;
        BsonDocument[] stored = [.. catalog["collections"].AsBsonArray.Cast<BsonDocument>()];
        collections = collections.AddRange(stored.Select(CollectionFrom).Select(c => KeyValuePair.Create(c.Namespace, c)));
        if (Array.Exists(stored, c => !c.Contains("id")))
            Write(database, next, collections.Values); // of a version before ids
        return (next, collections);
    }

    public static void Write(RocksDb database, int next, IEnumerable<CollectionDefinition> collections) => database.Put(
        Key, new BsonDocument
        {
            { "next", next },
            { "collections", new BsonArray(collections.Select(ToBson)) },
        }.ToBson());

    public static Guid NewId() => new(RandomNumberGenerator.GetBytes(16));

    /// <exception cref="MongoCommandException">A collection cannot have this name.</exception>
    public static void CheckName(string database, string name)
    {
        bool isDatabase = database.Length > 0 && !database.Any(c => c is '/' or '\\' or '.' or ' ' or '"' or '$' or '\0');
        bool isCollection = name.Length > 0 && !name.Any(c => c is '$' or '\0') && !name.StartsWith("system.", StringComparison.Ordinal);
        if (!isDatabase || !isCollection)
            throw new MongoCommandException(MongoErrorCode.InvalidNamespace, $"Invalid namespace specified '{database}.{name}'");
    }

    private static CollectionDefinition CollectionFrom(BsonDocument stored) => new(
        stored.TryGetValue("id", out BsonValue id) ? id.AsGuid : NewId(),
        stored["database"].AsString,
        stored["name"].AsString,
        stored["number"].AsInt32,
        [.. stored["indexes"].AsBsonArray.Cast<BsonDocument>().Select(IndexFrom)],
        stored["nextIndex"].AsInt32);

    private static IndexDefinition IndexFrom(BsonDocument stored) =>
        new(stored["number"].AsInt32, stored["name"].AsString, stored["keys"].AsBsonDocument, stored["unique"].AsBoolean,
            stored["sparse"].AsBoolean)
        {
            MayHaveArrays = stored["number"].AsInt32 != 0 && stored.GetValue("arrays", true).AsBoolean, // of a version that did not note it
        };

    private static BsonDocument ToBson(CollectionDefinition collection) => new()
    {
        { "id", new BsonBinaryData(collection.Id, GuidRepresentation.Standard) },
        { "database", collection.Database },
        { "name", collection.Name },
        { "number", collection.Number },
        { "nextIndex", collection.NextIndex },
        { "indexes", new BsonArray(collection.Indexes.Select(ToBson)) },
    };

    private static BsonDocument ToBson(IndexDefinition index) => new()
    {
        { "number", index.Number },
        { "name", index.Name },
        { "keys", index.Keys },
        { "unique", index.Unique },
        { "sparse", index.Sparse },
        { "arrays", index.MayHaveArrays },
    };
}
