using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>The first batch of documents, as commands answer with it.</summary>
internal static class CursorReply
{
    public const int DefaultBatch = 101;

    public static BsonDocument Open(CommandContext context, Func<StoreTransaction, IEnumerable<BsonDocument>> documents, int batchSize,
        bool singleBatch)
    {
        string ns = context.Command[0].IsString ? context.Namespace : $"{context.Database}.$cmd.aggregate";
        // A cursor of a transaction lives in it; any other has a view of its own until it is closed.
        StoreTransaction view = context.Transaction ?? new StoreTransaction(context.Store, isMultiDocument: false);
        IEnumerator<BsonDocument> cursor = documents(view).GetEnumerator();
        return context.Server.Cursors.Open(ns, cursor, context.Transaction is null ? view : null, batchSize, singleBatch, context.Command);
    }

    public static BsonDocument OneBatch(string ns, IEnumerable<BsonDocument> documents) =>
        new("cursor", new BsonDocument { { "firstBatch", new BsonArray(documents) }, { "id", 0L }, { "ns", ns } });
}
