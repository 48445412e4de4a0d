using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>explain: how a command would find its documents.</summary>
internal static class ExplainCommand
{
    public static BsonDocument Run(CommandContext context)
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
        SortPattern? sort = name == "find"
            && inner.TryGetValue("sort", out BsonValue pattern)
            && pattern is BsonDocument { ElementCount: > 0 } order ? SortPattern.Parse(order) : null;
        Plan? plan = collection is null ? null : new Planner(context.Store).Choose(collection, Matcher.Parse(filter), sort);
        BsonDocument stage = plan is null ? new BsonDocument("stage", "EOF")
            : plan.Stage == "IXSCAN"
            ? new BsonDocument
            {
                { "stage", "FETCH" },
                { "filter", filter },
                { "inputStage", new BsonDocument { { "stage", "IXSCAN" }, { "indexName", plan.IndexName } } },
            }
            : new BsonDocument { { "stage", plan.Stage }, { "filter", filter } };
        if (sort is not null && plan is { IsSorted: false })
            stage = new BsonDocument { { "stage", "SORT" }, { "sortPattern", inner["sort"] }, { "inputStage", stage } };
        return new BsonDocument("queryPlanner", new BsonDocument
        {
            { "namespace", $"{context.Database}.{inner[0].AsString}" },
            { "parsedQuery", filter },
            { "winningPlan", stage },
            { "rejectedPlans", new BsonArray() },
        });
    }
}
