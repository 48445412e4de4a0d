using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>dropIndexes: by name, by keys, or all but that of _id.</summary>
internal static class DropIndexesCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        CollectionDefinition collection = context.Collection
            ?? throw new MongoCommandException(MongoErrorCode.NamespaceNotFound, $"ns not found {context.Namespace}");
        BsonValue which = context.Command["index"];
        if (which != "*" && collection.Indexes.All(i => i.Name != which && i.Keys != which))
            throw new MongoCommandException(MongoErrorCode.IndexNotFound, $"index not found with name [{which}]");
        context.Store.DropIndexes(collection, i => which == "*" || i.Name == which || i.Keys == which);
        return new BsonDocument("nIndexesWas", collection.Indexes.Count);
    }
}
