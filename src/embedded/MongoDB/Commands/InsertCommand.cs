using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>insert: documents, by their bytes where that serves.</summary>
internal static class InsertCommand
{
    public static Task<BsonDocument> Run(CommandContext context)
    {
        CollectionDefinition collection = context.Store.GetOrCreate(context.Database, context.CollectionName);
        List<ReadOnlyMemory<byte>> documents = context.Documents("documents");
        return WriteStatements.Each(context, documents.Count, (i, transaction, _) =>
        {
            if (documents[i].Length <= WriteStatements.MaxDocumentBytes
                && context.Store.TryInsert(collection, documents[i].Span, transaction))
                return 1;
            byte[] bytes = documents[i].ToArray();
            BsonDocument document = BsonSerializer.Deserialize<BsonDocument>(bytes);
            if (!document.Contains("_id"))
            {
                document.InsertAt(0, new BsonElement("_id", ObjectId.GenerateNewId()));
                bytes = document.ToBson();
            }

            WriteStatements.Check(document, bytes.Length);
            context.Store.Insert(collection, document, bytes, transaction);
            return 1;
        });
    }
}
