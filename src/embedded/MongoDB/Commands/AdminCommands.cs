using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>Collections, indexes, databases.</summary>
internal static class AdminCommands
{
    public static BsonDocument Create(CommandContext context)
    {
        foreach (string refused in (string[])["capped", "timeseries", "viewOn", "validator", "collation", "clusteredIndex"])
        {
            if (context.Command.TryGetValue(refused, out BsonValue value) && Expression.IsTrue(value))
                throw new MongoCommandException(MongoErrorCode.CommandNotSupported, $"Collections with '{refused}' are not supported here.");
        }

        if (context.Collection is not null)
            throw new MongoCommandException(MongoErrorCode.NamespaceExists, $"Collection {context.Namespace} already exists.");
        context.Store.GetOrCreate(context.Database, context.CollectionName);
        return [];
    }

    public static BsonDocument Drop(CommandContext context)
    {
        CollectionDefinition? collection = context.Collection;
        context.Store.Drop(context.Database, context.CollectionName);
        return collection is null ? [] : new BsonDocument { { "nIndexesWas", collection.Indexes.Count }, { "ns", collection.Namespace } };
    }

    public static BsonDocument DropDatabase(CommandContext context)
    {
        foreach (CollectionDefinition collection in context.Store.Collections.Where(c => c.Database == context.Database))
            context.Store.Drop(collection.Database, collection.Name);
        return new BsonDocument("dropped", context.Database);
    }

    public static BsonDocument RenameCollection(CommandContext context)
    {
        (string fromDatabase, string from) = Split(context.Command[0].AsString);
        (string toDatabase, string to) = Split(context.Command["to"].AsString);
        CollectionDefinition source = context.Store.Find(fromDatabase, from) ?? throw new MongoCommandException(MongoErrorCode.NamespaceNotFound, $"Source collection {fromDatabase}.{from} does not exist");
        if (context.Store.Find(toDatabase, to) is not null)
        {
            if (!context.Flag("dropTarget"))
                throw new MongoCommandException(MongoErrorCode.NamespaceExists, "target namespace exists");
            context.Store.Drop(toDatabase, to);
        }

        context.Store.Rename(source, toDatabase, to);
        return [];
    }

    public static BsonDocument ListCollections(CommandContext context)
    {
        Matcher filter = Matcher.Parse(context.Document("filter"));
        IEnumerable<BsonDocument> collections = context.Store.Collections.Where(c => c.Database == context.Database).Select(c => new BsonDocument
        {
            { "name", c.Name },
            { "type", "collection" },
            { "options", new BsonDocument() },
            { "info", new BsonDocument { { "readOnly", false }, { "uuid", new BsonBinaryData(c.Id, GuidRepresentation.Standard) } } },
            { "idIndex", c.Indexes[0].ToBson() },
        });
        return OneBatch($"{context.Database}.$cmd.listCollections", collections.Where(filter.Matches));
    }

    public static BsonDocument ListIndexes(CommandContext context)
    {
        CollectionDefinition collection = context.Collection ?? throw new MongoCommandException(MongoErrorCode.NamespaceNotFound, $"ns does not exist: {context.Namespace}");
        return OneBatch(context.Namespace, collection.Indexes.Select(i => i.ToBson()));
    }

    public static BsonDocument CreateIndexes(CommandContext context)
    {
        CollectionDefinition collection = context.Store.GetOrCreate(context.Database, context.CollectionName);
        int before = collection.Indexes.Count;
        foreach (ReadOnlyMemory<byte> bytes in context.Documents("indexes"))
        {
            BsonDocument index = BsonSerializer.Deserialize<BsonDocument>(bytes.ToArray());
            foreach (string refused in (string[])["expireAfterSeconds", "partialFilterExpression", "collation", "wildcardProjection"])
            {
                if (index.Contains(refused))
                    throw new MongoCommandException(MongoErrorCode.CommandNotSupported, $"Indexes with '{refused}' are not supported here.");
            }

            BsonDocument keys = index["key"].AsBsonDocument;
            if (keys.FirstOrDefault(k => !k.Value.IsNumeric) is { Name: not null } special)
                throw new MongoCommandException(MongoErrorCode.CommandNotSupported, $"Indexes of type '{special.Value}' are not supported here.");
            if (keys.ElementCount == 1 && keys.Contains("_id"))
                continue;
            context.Store.CreateIndex(collection, index["name"].AsString, keys, Expression.IsTrue(index.GetValue("unique", false)), Expression.IsTrue(index.GetValue("sparse", false)));
        }

        return new BsonDocument { { "numIndexesBefore", before }, { "numIndexesAfter", context.Collection!.Indexes.Count }, { "createdCollectionAutomatically", false } };
    }

    public static BsonDocument DropIndexes(CommandContext context)
    {
        CollectionDefinition collection = context.Collection ?? throw new MongoCommandException(MongoErrorCode.NamespaceNotFound, $"ns not found {context.Namespace}");
        BsonValue which = context.Command["index"];
        if (which != "*" && collection.Indexes.All(i => i.Name != which && i.Keys != which))
            throw new MongoCommandException(MongoErrorCode.IndexNotFound, $"index not found with name [{which}]");
        context.Store.DropIndexes(collection, i => which == "*" || i.Name == which || i.Keys == which);
        return new BsonDocument("nIndexesWas", collection.Indexes.Count);
    }

    public static BsonDocument ListDatabases(CommandContext context)
    {
        BsonDocument[] databases = [.. context.Store.Collections.GroupBy(c => c.Database).Select(g => new BsonDocument { { "name", g.Key }, { "sizeOnDisk", 0L }, { "empty", false } })];
        return new BsonDocument { { "databases", new BsonArray(databases) }, { "totalSize", 0L } };
    }

    public static BsonDocument CollStats(CommandContext context) => context.Read(transaction => new BsonDocument
    {
        { "ns", context.Namespace },
        { "count", context.Collection is { } c ? context.Store.ScanDocuments(c, transaction).Count() : 0 },
        { "nindexes", context.Collection?.Indexes.Count ?? 0 },
    });

    private static (string Database, string Collection) Split(string ns)
    {
        int dot = ns.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 ? (ns[..dot], ns[(dot + 1)..]) : throw new MongoCommandException(MongoErrorCode.InvalidNamespace, $"Invalid namespace specified '{ns}'");
    }

    private static BsonDocument OneBatch(string ns, IEnumerable<BsonDocument> documents) =>
        new("cursor", new BsonDocument { { "firstBatch", new BsonArray(documents) }, { "id", 0L }, { "ns", ns } });
}
