using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>insert, update, delete, findAndModify.</summary>
internal static class WriteCommands
{
    private const int MaxDocumentBytes = 16 * 1024 * 1024;

    public static Task<BsonDocument> Insert(CommandContext context)
    {
        CollectionDefinition collection = context.Store.GetOrCreate(context.Database, context.CollectionName);
        List<ReadOnlyMemory<byte>> documents = context.Documents("documents");
        return Each(context, documents.Count, (i, transaction, _) =>
        {
            if (documents[i].Length <= MaxDocumentBytes && context.Store.TryInsert(collection, documents[i].Span, transaction))
                return 1;
            byte[] bytes = documents[i].ToArray();
            BsonDocument document = BsonSerializer.Deserialize<BsonDocument>(bytes);
            if (!document.Contains("_id"))
            {
                document.InsertAt(0, new BsonElement("_id", ObjectId.GenerateNewId()));
                bytes = document.ToBson();
            }

            Check(document, bytes.Length);
            context.Store.Insert(collection, document, bytes, transaction);
            return 1;
        });
    }

    public static Task<BsonDocument> Update(CommandContext context)
    {
        CollectionDefinition collection = context.Store.GetOrCreate(context.Database, context.CollectionName);
        List<ReadOnlyMemory<byte>> updates = context.Documents("updates");
        long modified = 0;
        BsonArray upserted = [];
        return Each(context, updates.Count, (i, transaction, _) =>
        {
            if (IsReplacement(updates[i].Span, out ReadOnlySpan<byte> id, out RawElement condition, out ReadOnlySpan<byte> replacement, out bool upsert)
                && context.Store.TryReplace(collection, replacement, condition, upsert, transaction) is var (known, changed))
            {
                if (!known && changed)
                    upserted.Add(new BsonDocument { { "index", i }, { "_id", BsonSerializer.Deserialize<BsonDocument>(id.ToArray())["_id"] } });
                else if (changed)
                    modified++;
                return known || changed ? 1 : 0;
            }

            BsonDocument update = BsonSerializer.Deserialize<BsonDocument>(updates[i].ToArray());
            if (update.Contains("arrayFilters"))
                throw new MongoCommandException(MongoErrorCode.CommandNotSupported, "arrayFilters are not supported here.");
            UpdateProgram program = UpdateProgram.Parse(update["u"]);
            BsonDocument filter = update["q"].AsBsonDocument;
            bool multi = Expression.IsTrue(update.GetValue("multi", false));
            IEnumerable<BsonDocument> found = context.Find(collection, filter, transaction);
            BsonDocument[] matched = [.. multi ? found : found.Take(1)];
            foreach (BsonDocument before in matched)
            {
                BsonDocument after = program.Apply(before, isInsert: false);
                if (after == before)
                    continue;
                Check(after, after.ToBson().Length);
                context.Store.Update(collection, before, after, transaction);
                modified++;
            }

            if (matched.Length > 0 || !Expression.IsTrue(update.GetValue("upsert", false)))
                return matched.Length;
            BsonDocument inserted = Upsert(context.Store, collection, program, filter, transaction);
            upserted.Add(new BsonDocument { { "index", i }, { "_id", inserted["_id"] } });
            return 1;
        }, reset: () =>
        {
            modified = 0;
            upserted = [];
        }, finish: reply =>
        {
            reply.Add("nModified", modified);
            if (upserted.Count > 0)
                reply.Add("upserted", upserted);
        });
    }

    public static Task<BsonDocument> Delete(CommandContext context)
    {
        CollectionDefinition? collection = context.Collection;
        BsonDocument[] deletes = [.. context.Documents("deletes").Select(d => BsonSerializer.Deserialize<BsonDocument>(d.ToArray()))];
        return Each(context, deletes.Length, (i, transaction, _) =>
        {
            IEnumerable<BsonDocument> found = context.Find(collection, deletes[i]["q"].AsBsonDocument, transaction);
            BsonDocument[] doomed = [.. deletes[i]["limit"].ToInt32() == 1 ? found.Take(1) : found];
            foreach (BsonDocument document in doomed)
                context.Store.Delete(collection!, document, transaction);
            return doomed.Length;
        });
    }

    public static Task<BsonDocument> FindAndModify(CommandContext context)
    {
        CollectionDefinition collection = context.Store.GetOrCreate(context.Database, context.CollectionName);
        return context.Write(transaction =>
        {
            BsonDocument filter = context.Document("query");
            SortPattern? sort = context.Document("sort") is { ElementCount: > 0 } pattern ? SortPattern.Parse(pattern) : null;
            BsonDocument? before = context.Find(collection, filter, transaction, sort, first: 1).FirstOrDefault();
            BsonDocument? result = before;
            var last = new BsonDocument { { "n", before is null ? 0 : 1 } };
            if (context.Flag("remove"))
            {
                if (before is not null)
                    context.Store.Delete(collection, before, transaction);
            }
            else
            {
                UpdateProgram program = UpdateProgram.Parse(context.Command["update"]);
                last.Add("updatedExisting", before is not null);
                BsonDocument? after = before is null ? null : program.Apply(before, isInsert: false);
                if (before is not null && after != before)
                {
                    context.Store.Update(collection, before, after!, transaction);
                }
                else if (before is null && context.Flag("upsert"))
                {
                    after = Upsert(context.Store, collection, program, filter, transaction);
                    last["n"] = 1;
                    last.Add("upserted", after["_id"]);
                }

                if (context.Flag("new"))
                    result = after;
            }

            if (result is not null && context.Document("fields") is { ElementCount: > 0 } fields)
                result = Projection.Parse(fields).Apply(result);
            return new BsonDocument { { "lastErrorObject", last }, { "value", (BsonValue?)result ?? BsonNull.Value } };
        });
    }

    // Whether a statement is {q: {_id: X}, u: {_id: X, …}}, which is how read models are written, or {q: {_id: X, field: 64-bit number}, …}, as those are whose documents have a version.
    private static bool IsReplacement(ReadOnlySpan<byte> statement, out ReadOnlySpan<byte> id, out RawElement condition, out ReadOnlySpan<byte> replacement, out bool upsert)
    {
        id = replacement = default;
        condition = default;
        upsert = false;
        var fields = new RawBson(statement);
        while (fields.MoveNext())
        {
            RawElement field = fields.Current;
            if (field.Name.SequenceEqual("q"u8) && field.Type == BsonType.Document)
                id = field.Value;
            else if (field.Name.SequenceEqual("u"u8) && field.Type == BsonType.Document)
                replacement = field.Value;
            else if (field.Name.SequenceEqual("upsert"u8) && field.Type == BsonType.Boolean)
                upsert = field.Value[0] != 0;
            else if (!field.Name.SequenceEqual("multi"u8) || field.Type != BsonType.Boolean || field.Value[0] != 0)
                return false;
        }

        if (replacement.IsEmpty || replacement.Length > MaxDocumentBytes || id.IsEmpty)
            return false;
        var query = new RawBson(id);
        var document = new RawBson(replacement);
        if (!query.MoveNext() || !document.MoveNext() || !query.Current.Name.SequenceEqual("_id"u8) || !document.Current.Name.SequenceEqual("_id"u8)
            || query.Current.Type != document.Current.Type || !query.Current.Value.SequenceEqual(document.Current.Value))
            return false;
        if (query.MoveNext())
        {
            condition = query.Current;
            if (condition.Type != BsonType.Int64 || condition.Name.IsEmpty || condition.Name.Contains((byte)'.') || condition.Name[0] == (byte)'$' || query.MoveNext())
                return false;
        }

        while (document.MoveNext())
        {
            if (document.Current.Name.StartsWith("$"u8))
                return false;
        }

        return true;
    }

    private static BsonDocument Upsert(DocumentStore store, CollectionDefinition collection, UpdateProgram program, BsonDocument filter, StoreTransaction transaction)
    {
        BsonDocument seed = UpdateProgram.Seed(filter);
        BsonDocument inserted = program.Apply(program.IsReplacement ? new BsonDocument(seed.Where(e => e.Name == "_id")) : seed, isInsert: true);
        if (!inserted.Contains("_id"))
            inserted.InsertAt(0, new BsonElement("_id", ObjectId.GenerateNewId()));
        byte[] bytes = inserted.ToBson();
        Check(inserted, bytes.Length);
        store.Insert(collection, inserted, bytes, transaction);
        return inserted;
    }

    private static void Check(BsonDocument document, int bytes)
    {
        if (bytes > MaxDocumentBytes)
            throw new MongoCommandException(MongoErrorCode.BSONObjectTooLarge, $"BSONObj size: {bytes} is invalid. Size must be between 0 and {MaxDocumentBytes}");
        if (document["_id"] is BsonArray or BsonRegularExpression or BsonUndefined)
            throw new MongoCommandException(MongoErrorCode.InvalidOptions, $"The '_id' value cannot be of type {BsonTypes.Name(document["_id"].BsonType)}");
    }

    /// <summary>Runs the statements of a write command. Outside a transaction each stands for itself; in one, the first error ends it.</summary>
    private static Task<BsonDocument> Each(CommandContext context, int count, Func<int, StoreTransaction, bool, long> statement, Action? reset = null, Action<BsonDocument>? finish = null)
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
                catch (MongoCommandException failed) when (failed.Code is not (MongoErrorCode.WriteConflict or MongoErrorCode.TransactionTooLarge) && !context.Operation.Token.IsCancellationRequested)
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
}
