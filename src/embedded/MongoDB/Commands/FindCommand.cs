using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>find: documents that match a filter, through a cursor.</summary>
internal static class FindCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        IEnumerable<BsonDocument> Documents(StoreTransaction transaction)
        {
            SortPattern? sort = context.Document("sort") is { ElementCount: > 0 } pattern ? SortPattern.Parse(pattern) : null;
            long first = context.Number("limit", 0) is not 0 and var most ? Math.Abs(most) + context.Number("skip", 0) : 0;
            IEnumerable<BsonDocument> found = context.Find(context.Collection, context.Document("filter"), transaction, sort, first);
            if (context.Number("skip", 0) is > 0 and var skip)
                found = found.Skip((int)skip);
            if (context.Number("limit", 0) is not 0 and var limit)
                found = found.Take((int)Math.Min(Math.Abs(limit), int.MaxValue));
            if (context.Document("projection") is { ElementCount: > 0 } projection)
                found = found.Select(Projection.Parse(projection).Apply);
            return found;
        }

        return CursorReply.Open(context, Documents, (int)context.Number("batchSize", CursorReply.DefaultBatch),
            context.Flag("singleBatch") || context.Number("limit", 0) < 0);
    }
}
