using KafkaEventSourcing.Embedded.MongoDB.Query;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>distinct: the values of a field, each once.</summary>
internal static class DistinctCommand
{
    public static BsonDocument Run(CommandContext context) => context.Read(transaction =>
    {
        string key = context.Command["key"].AsString;
        IEnumerable<BsonValue> values = context.Find(context.Collection, context.Document("query"), transaction)
            .SelectMany(d => DocumentPath.Reach(d, key)).Where(v => v is not null).SelectMany(v =>
                v is BsonArray array ? array : (IEnumerable<BsonValue>)[v!]);
        return new BsonDocument("values", new BsonArray(values.Distinct(BsonValueComparer.Instance).Order(BsonValueComparer.Instance)));
    });
}
