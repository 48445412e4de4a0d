using KafkaEventSourcing.Embedded.MongoDB.Query;
using KafkaEventSourcing.Embedded.MongoDB.Storage;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>aggregate: a pipeline over a collection, through a cursor.</summary>
internal static class AggregateCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        if (!context.Command.TryGetValue("pipeline", out BsonValue stages) || stages is not BsonArray array)
            throw new MongoCommandException((MongoErrorCode)40414, "BSON field 'aggregate.pipeline' is missing but a required field");
        if (!context.Command.Contains("cursor") && !context.Flag("explain"))
            throw new MongoCommandException(MongoErrorCode.FailedToParse,
                "The 'cursor' option is required, except for aggregate with the explain argument");
        bool hasCollection = context.Command[0].IsString;

        IEnumerable<BsonDocument> Documents(StoreTransaction transaction)
        {
            Pipeline pipeline = Pipeline.Parse(array, (name, filter) => context.Store.Find(context.Database, name) is { } other
                ? filter is null
                    ? context.Store.ScanDocuments(other, transaction)
                    : new Planner(context.Store).Choose(other, filter).Candidates(transaction).Where(filter.Matches)
                : []);
            return pipeline.Run(hasCollection ? context.Find(context.Collection, pipeline.LeadingMatch, transaction) : [[]]);
        }

        int batch = context.Document("cursor").TryGetValue("batchSize", out BsonValue size) ? size.ToInt32() : CursorReply.DefaultBatch;
        return CursorReply.Open(context, Documents, batch, singleBatch: false);
    }
}
