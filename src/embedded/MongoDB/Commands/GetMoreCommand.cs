using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>getMore: the next batch of a cursor.</summary>
internal static class GetMoreCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        long id = context.Command[0].ToInt64();
        return context.Server.Cursors.Next(id, (int)Math.Min(context.Number("batchSize", int.MaxValue), int.MaxValue));
    }
}
