using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>find, aggregate, count, distinct, getMore, killCursors, explain.</summary>
internal static class ReadCommands
{
    private const int DefaultBatch = 101;

    public static BsonDocument Find(CommandContext context)
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

        return Open(context, Documents, (int)context.Number("batchSize", DefaultBatch), context.Flag("singleBatch") || context.Number("limit", 0) < 0);
    }

    public static BsonDocument Aggregate(CommandContext context)
    {
        if (!context.Command.TryGetValue("pipeline", out BsonValue stages) || stages is not BsonArray array)
            throw new MongoCommandException((MongoErrorCode)40414, "BSON field 'aggregate.pipeline' is missing but a required field");
        if (!context.Command.Contains("cursor") && !context.Flag("explain"))
            throw new MongoCommandException(MongoErrorCode.FailedToParse, "The 'cursor' option is required, except for aggregate with the explain argument");
        bool hasCollection = context.Command[0].IsString;

        IEnumerable<BsonDocument> Documents(StoreTransaction transaction)
        {
            Pipeline pipeline = Pipeline.Parse(array, (name, filter) => context.Store.Find(context.Database, name) is { } other
                ? filter is null ? context.Store.ScanDocuments(other, transaction) : new Planner(context.Store).Choose(other, filter).Candidates(transaction).Where(filter.Matches)
                : []);
            return pipeline.Run(hasCollection ? context.Find(context.Collection, pipeline.LeadingMatch, transaction) : [[]]);
        }

        int batch = context.Document("cursor").TryGetValue("batchSize", out BsonValue size) ? size.ToInt32() : DefaultBatch;
        return Open(context, Documents, batch, singleBatch: false);
    }

    public static BsonDocument Count(CommandContext context) => context.Read(transaction =>
    {
        IEnumerable<BsonDocument> found = context.Find(context.Collection, context.Document("query"), transaction).Skip((int)context.Number("skip", 0));
        long limit = Math.Abs(context.Number("limit", 0));
        return new BsonDocument("n", (limit > 0 ? found.Take((int)limit) : found).Count());
    });

    public static BsonDocument Distinct(CommandContext context) => context.Read(transaction =>
    {
        string key = context.Command["key"].AsString;
        IEnumerable<BsonValue> values = context.Find(context.Collection, context.Document("query"), transaction)
            .SelectMany(d => DocumentPath.Reach(d, key)).Where(v => v is not null).SelectMany(v => v is BsonArray array ? array : (IEnumerable<BsonValue>)[v!]);
        return new BsonDocument("values", new BsonArray(values.Distinct(BsonValueComparer.Instance).Order(BsonValueComparer.Instance)));
    });

    public static BsonDocument GetMore(CommandContext context)
    {
        long id = context.Command[0].ToInt64();
        return context.Server.Cursors.Next(id, (int)Math.Min(context.Number("batchSize", int.MaxValue), int.MaxValue));
    }

    public static BsonDocument KillCursors(CommandContext context)
    {
        var killed = new BsonArray();
        var missing = new BsonArray();
        foreach (BsonValue id in context.Command["cursors"].AsBsonArray)
            (context.Server.Cursors.Kill(id.ToInt64()) ? killed : missing).Add(id);
        return new BsonDocument { { "cursorsKilled", killed }, { "cursorsNotFound", missing }, { "cursorsAlive", new BsonArray() }, { "cursorsUnknown", new BsonArray() } };
    }

    public static BsonDocument Explain(CommandContext context)
    {
        BsonDocument inner = context.Command[0].AsBsonDocument;
        string name = inner.GetElement(0).Name;
        BsonDocument filter = name switch
        {
            "find" => inner.GetValue("filter", new BsonDocument()).AsBsonDocument,
            "count" or "distinct" => inner.GetValue("query", new BsonDocument()).AsBsonDocument,
            "aggregate" => Pipeline.Parse(inner["pipeline"].AsBsonArray, (_, _) => []).LeadingMatch,
            _ => throw new MongoCommandException(MongoErrorCode.CommandNotSupported, $"explain of {name} is not supported here."),
        };
        CollectionDefinition? collection = context.Store.Find(context.Database, inner[0].AsString);
        SortPattern? sort = name == "find" && inner.TryGetValue("sort", out BsonValue pattern) && pattern is BsonDocument { ElementCount: > 0 } order ? SortPattern.Parse(order) : null;
        Plan? plan = collection is null ? null : new Planner(context.Store).Choose(collection, Matcher.Parse(filter), sort);
        BsonDocument stage = plan is null ? new BsonDocument("stage", "EOF")
            : plan.Stage == "IXSCAN" ? new BsonDocument { { "stage", "FETCH" }, { "filter", filter }, { "inputStage", new BsonDocument { { "stage", "IXSCAN" }, { "indexName", plan.IndexName } } } }
            : new BsonDocument { { "stage", plan.Stage }, { "filter", filter } };
        if (sort is not null && plan is { IsSorted: false })
            stage = new BsonDocument { { "stage", "SORT" }, { "sortPattern", inner["sort"] }, { "inputStage", stage } };
        return new BsonDocument("queryPlanner", new BsonDocument { { "namespace", $"{context.Database}.{inner[0].AsString}" }, { "parsedQuery", filter }, { "winningPlan", stage }, { "rejectedPlans", new BsonArray() } });
    }

    private static BsonDocument Open(CommandContext context, Func<StoreTransaction, IEnumerable<BsonDocument>> documents, int batchSize, bool singleBatch)
    {
        string ns = context.Command[0].IsString ? context.Namespace : $"{context.Database}.$cmd.aggregate";
        // A cursor of a transaction lives in it; any other has a view of its own until it is closed.
        StoreTransaction view = context.Transaction ?? new StoreTransaction(context.Store, isMultiDocument: false);
        IEnumerator<BsonDocument> cursor = documents(view).GetEnumerator();
        return context.Server.Cursors.Open(ns, cursor, context.Transaction is null ? view : null, batchSize, singleBatch, context.Command);
    }
}
