using KafkaEventSourcing.Embedded.MongoDB.Query;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>create: a collection.</summary>
internal static class CreateCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        foreach (string refused in (string[])["capped", "timeseries", "viewOn", "validator", "collation", "clusteredIndex"])
        {
            if (context.Command.TryGetValue(refused, out BsonValue value) && Expression.IsTrue(value))
                throw new MongoCommandException(MongoErrorCode.CommandNotSupported,
                    $"Collections with '{refused}' are not supported here.");
        }

        if (context.Collection is not null)
            throw new MongoCommandException(MongoErrorCode.NamespaceExists, $"Collection {context.Namespace} already exists.");
        context.Store.GetOrCreate(context.Database, context.CollectionName);
        return [];
    }
}
