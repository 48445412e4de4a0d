using KafkaEventSourcing.Embedded.MongoDB.Query;
using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>listCollections: those of a database.</summary>
internal static class ListCollectionsCommand
{
    public static BsonDocument Run(CommandContext context)
    {
        Matcher filter = Matcher.Parse(context.Document("filter"));
        IEnumerable<BsonDocument> collections = context.Store.Collections.Where(c => c.Database == context.Database)
            .Select(c => new BsonDocument
            {
                { "name", c.Name },
                { "type", "collection" },
                { "options", new BsonDocument() },
                { "info", new BsonDocument { { "readOnly", false }, { "uuid", new BsonBinaryData(c.Id, GuidRepresentation.Standard) } } },
                { "idIndex", c.Indexes[0].ToBson() },
            });
        return CursorReply.OneBatch($"{context.Database}.$cmd.listCollections", collections.Where(filter.Matches));
    }
}
