using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>createIndexes: over the documents that there are.</summary>
internal static class CreateIndexesCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        CollectionDefinition collection = context.Store.GetOrCreate(context.Database, context.CollectionName);
        int before = collection.Indexes.Count;
        foreach (ReadOnlyMemory<byte> bytes in context.Documents("indexes"))
        {
            BsonDocument index = BsonSerializer.Deserialize<BsonDocument>(bytes.ToArray());
            foreach (string refused in (string[])["expireAfterSeconds", "partialFilterExpression", "collation", "wildcardProjection"])
            {
                if (index.Contains(refused))
                    throw new MongoCommandException(MongoErrorCode.CommandNotSupported,
                        $"Indexes with '{refused}' are not supported here.");
            }

            BsonDocument keys = index["key"].AsBsonDocument;
            if (keys.FirstOrDefault(k => !k.Value.IsNumeric) is { Name: not null } special)
                throw new MongoCommandException(MongoErrorCode.CommandNotSupported,
                    $"Indexes of type '{special.Value}' are not supported here.");
            if (keys.ElementCount == 1 && keys.Contains("_id"))
                continue;
            context.Store.CreateIndex(collection, index["name"].AsString, keys, Expression.IsTrue(index.GetValue("unique", false)),
                Expression.IsTrue(index.GetValue("sparse", false)));
        }

        return new BsonDocument
        {
            { "numIndexesBefore", before },
            { "numIndexesAfter", context.Collection!.Indexes.Count },
            { "createdCollectionAutomatically", false },
        };
    }
}
