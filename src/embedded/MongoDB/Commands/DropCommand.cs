using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>drop: a collection, with its indexes.</summary>
internal static class DropCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        CollectionDefinition? collection = context.Collection;
        context.Store.Drop(context.Database, context.CollectionName);
        return collection is null ? [] : new BsonDocument { { "nIndexesWas", collection.Indexes.Count }, { "ns", collection.Namespace } };
    }
}
