using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>listDatabases: those that have collections.</summary>
internal static class ListDatabasesCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        BsonDocument[] databases = [.. context.Store.Collections.GroupBy(c => c.Database).Select(g =>
            new BsonDocument { { "name", g.Key }, { "sizeOnDisk", 0L }, { "empty", false } })];
        return new BsonDocument { { "databases", new BsonArray(databases) }, { "totalSize", 0L } };
    }
}
