using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>endSessions, killSessions: with their cursors and transactions; the latter also ends what runs in them.</summary>
internal static class EndSessionsCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        foreach (BsonDocument id in context.Command[0].AsBsonArray.Cast<BsonDocument>())
        {
            if (context.Name.Equals("killSessions", StringComparison.OrdinalIgnoreCase))
                context.Server.Operations.KillOf(id["id"]);
            context.Server.Cursors.KillOf(id["id"]);
            context.Server.Sessions.End(id);
        }

        return [];
    }
}
