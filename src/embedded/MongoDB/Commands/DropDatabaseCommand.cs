using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>dropDatabase: all collections of a database.</summary>
internal static class DropDatabaseCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        foreach (CollectionDefinition collection in context.Store.Collections.Where(c => c.Database == context.Database))
            context.Store.Drop(collection.Database, collection.Name);
        return new BsonDocument("dropped", context.Database);
    }
}
