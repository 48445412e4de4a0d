using MongoDB.Bson;

namespace KafkaEventSourcing.Embedded.MongoDB.Commands;

/// <summary>collStats: counts of a collection.</summary>
internal static class CollStatsCommand
{
    public static BsonDocument Run(CommandContext context) => context.Read(transaction => new BsonDocument
    {
        { "ns", context.Namespace },
        { "count", context.Collection is { } c ? context.Store.ScanDocuments(c, transaction).Count() : 0 },
        { "nindexes", context.Collection?.Indexes.Count ?? 0 },
    });
}
