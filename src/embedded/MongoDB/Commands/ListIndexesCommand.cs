using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>listIndexes: those of a collection.</summary>
internal static class ListIndexesCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        CollectionDefinition collection = context.Collection
            ?? throw new MongoCommandException(MongoErrorCode.NamespaceNotFound, $"ns does not exist: {context.Namespace}");
        return CursorReply.OneBatch(context.Namespace, collection.Indexes.Select(i => i.ToBson()));
    }
}
