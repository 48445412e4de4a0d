using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>update: operators, pipelines and replacements, with upsert.</summary>
internal static class UpdateCommand
{
    public static Task<BsonDocument> Run(CommandContext context)
    {
        CollectionDefinition collection = context.Store.GetOrCreate(context.Database, context.CollectionName);
        List<ReadOnlyMemory<byte>> updates = context.Documents("updates");
        long modified = 0;
        BsonArray upserted = [];
        return WriteStatements.Each(context, updates.Count, (i, transaction, _) =>
        {
            if (IsReplacement(updates[i].Span, out ReadOnlySpan<byte> id, out RawElement condition, out ReadOnlySpan<byte> replacement,
                out bool upsert)
                && context.Store.TryReplace(collection, replacement, condition, upsert, transaction) is var (known, changed))
            {
                if (!known && changed)
                    upserted.Add(new BsonDocument
                    {
                        { "index", i },
                        { "_id", BsonSerializer.Deserialize<BsonDocument>(id.ToArray())["_id"] },
                    });
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
                WriteStatements.Check(after, after.ToBson().Length);
                context.Store.Update(collection, before, after, transaction);
                modified++;
            }

            if (matched.Length > 0 || !Expression.IsTrue(update.GetValue("upsert", false)))
                return matched.Length;
            BsonDocument inserted = WriteStatements.Upsert(context.Store, collection, program, filter, transaction);
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

    // Whether a statement is {q: {_id: X}, u: {_id: X, …}}, which is how read models are written, or {q: {_id: X, field: 64-bit number},
    // …}, as those are whose documents have a version.
    private static bool IsReplacement(ReadOnlySpan<byte> statement, out ReadOnlySpan<byte> id, out RawElement condition,
        out ReadOnlySpan<byte> replacement, out bool upsert)
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

        if (replacement.IsEmpty || replacement.Length > WriteStatements.MaxDocumentBytes || id.IsEmpty)
            return false;
        var query = new RawBson(id);
        var document = new RawBson(replacement);
        if (!query.MoveNext()
            || !document.MoveNext()
            || !query.Current.Name.SequenceEqual("_id"u8)
            || !document.Current.Name.SequenceEqual("_id"u8)
            || query.Current.Type != document.Current.Type || !query.Current.Value.SequenceEqual(document.Current.Value))
            return false;
        if (query.MoveNext())
        {
            condition = query.Current;
            if (condition.Type != BsonType.Int64
                || condition.Name.IsEmpty
                || condition.Name.Contains((byte)'.')
                || condition.Name[0] == (byte)'$'
                || query.MoveNext())
                return false;
        }

        while (document.MoveNext())
        {
            if (document.Current.Name.StartsWith("$"u8))
                return false;
        }

        return true;
    }
}
