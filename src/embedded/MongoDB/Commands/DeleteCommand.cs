using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>delete: one document or all that match.</summary>
internal static class DeleteCommand
{
    public static Task<BsonDocument> Run(CommandContext context)
    {
        CollectionDefinition? collection = context.Collection;
        BsonDocument[] deletes = [.. context.Documents("deletes").Select(d => BsonSerializer.Deserialize<BsonDocument>(d.ToArray()))];
        return WriteStatements.Each(context, deletes.Length, (i, transaction, _) =>
        {
            IEnumerable<BsonDocument> found = context.Find(collection, deletes[i]["q"].AsBsonDocument, transaction);
            BsonDocument[] doomed = [.. deletes[i]["limit"].ToInt32() == 1 ? found.Take(1) : found];
            foreach (BsonDocument document in doomed)
                context.Store.Delete(collection!, document, transaction);
            return doomed.Length;
        });
    }
}
