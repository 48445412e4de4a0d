using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>count: how many documents match.</summary>
internal static class CountCommand
{
    public static BsonDocument Run(CommandContext context) => context.Read(transaction =>
    {
        IEnumerable<BsonDocument> found = context.Find(context.Collection, context.Document("query"), transaction).Skip(
            (int)context.Number("skip", 0));
        long limit = Math.Abs(context.Number("limit", 0));
        return new BsonDocument("n", (limit > 0 ? found.Take((int)limit) : found).Count());
    });
}
