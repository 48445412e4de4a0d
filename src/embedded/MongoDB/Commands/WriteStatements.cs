using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>What write commands share: their statements one after the other, and what a document must be.</summary>
internal static class WriteStatements
{
    public const int MaxDocumentBytes = 16 * 1024 * 1024;

    /// <summary>
    /// Runs the statements of a write command. Outside a transaction each stands for itself; in one, the first error ends it.
    /// </summary>
    public static Task<BsonDocument> Each(CommandContext context, int count, Func<int, StoreTransaction, bool, long> statement,
        Action? reset = null, Action<BsonDocument>? finish = null)
    {
        if (count is 0 or > 100_000)
            throw new MongoCommandException((MongoErrorCode)16, $"Write batch sizes must be between 1 and 100000. Got {count} operations.");
        bool ordered = !context.Command.TryGetValue("ordered", out BsonValue o) || Expression.IsTrue(o);
        return context.Write(transaction =>
        {
            reset?.Invoke();
            long n = 0;
            BsonArray errors = [];
            for (int i = 0; i < count; i++)
            {
                Operation.Check();
                try
                {
                    n += statement(i, transaction, ordered);
                }
                catch (MongoCommandException failed)
                    when (failed.Code is not (MongoErrorCode.WriteConflict or MongoErrorCode.TransactionTooLarge)
                        && !context.Operation.Token.IsCancellationRequested)
                {
                    var error = new BsonDocument { { "index", i }, { "code", (int)failed.Code }, { "errmsg", failed.Message } };
                    if (failed.KeyPattern is not null)
                        error.AddRange(new BsonDocument { { "keyPattern", failed.KeyPattern }, { "keyValue", failed.KeyValue } });
                    errors.Add(error);
                    if (ordered || context.Transaction is not null)
                        break;
                }
            }

            var reply = new BsonDocument("n", n);
            finish?.Invoke(reply);
            if (errors.Count > 0)
                reply.Add("writeErrors", errors);
            return reply;
        });
    }

    public static BsonDocument Upsert(DocumentStore store, CollectionDefinition collection, UpdateProgram program, BsonDocument filter,
        StoreTransaction transaction)
    {
        BsonDocument seed = UpdateProgram.Seed(filter);
        BsonDocument inserted = program.Apply(program.IsReplacement ? new BsonDocument(seed.Where(e => e.Name == "_id")) : seed,
            isInsert: true);
        if (!inserted.Contains("_id"))
            inserted.InsertAt(0, new BsonElement("_id", ObjectId.GenerateNewId()));
        byte[] bytes = inserted.ToBson();
        Check(inserted, bytes.Length);
        store.Insert(collection, inserted, bytes, transaction);
        return inserted;
    }

    public static void Check(BsonDocument document, int bytes)
    {
        if (bytes > MaxDocumentBytes)
            throw new MongoCommandException(MongoErrorCode.BSONObjectTooLarge,
                $"BSONObj size: {bytes} is invalid. Size must be between 0 and {MaxDocumentBytes}");
        if (document["_id"] is BsonArray or BsonRegularExpression or BsonUndefined)
            throw new MongoCommandException(MongoErrorCode.InvalidOptions,
                $"The '_id' value cannot be of type {BsonTypes.Name(document["_id"].BsonType)}");
    }
}
