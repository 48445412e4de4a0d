using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>renameCollection: also to another database.</summary>
internal static class RenameCollectionCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        (string fromDatabase, string from) = Split(context.Command[0].AsString);
        (string toDatabase, string to) = Split(context.Command["to"].AsString);
        CollectionDefinition source = context.Store.Find(fromDatabase, from)
            ?? throw new MongoCommandException(MongoErrorCode.NamespaceNotFound, $"Source collection {fromDatabase}.{from} does not exist");
        if (context.Store.Find(toDatabase, to) is not null)
        {
            if (!context.Flag("dropTarget"))
                throw new MongoCommandException(MongoErrorCode.NamespaceExists, "target namespace exists");
            context.Store.Drop(toDatabase, to);
        }

        context.Store.Rename(source, toDatabase, to);
        return [];
    }

    private static (string Database, string Collection) Split(string ns)
    {
        int dot = ns.IndexOf('.', StringComparison.Ordinal);
        return dot > 0
            ? (ns[..dot], ns[(dot + 1)..])
            : throw new MongoCommandException(MongoErrorCode.InvalidNamespace, $"Invalid namespace specified '{ns}'");
    }
}
