using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>killCursors: closes cursors.</summary>
internal static class KillCursorsCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        var killed = new BsonArray();
        var missing = new BsonArray();
        foreach (BsonValue id in context.Command["cursors"].AsBsonArray)
            (context.Server.Cursors.Kill(id.ToInt64()) ? killed : missing).Add(id);
        return new BsonDocument
        {
            { "cursorsKilled", killed },
            { "cursorsNotFound", missing },
            { "cursorsAlive", new BsonArray() },
            { "cursorsUnknown", new BsonArray() },
        };
    }
}
