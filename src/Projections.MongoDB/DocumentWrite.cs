using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

internal interface IDocumentWrite
{
    Task Apply(IClientSessionHandle session, CancellationToken cancellationToken);
}

/// <summary>The writes of one batch to one collection; can be applied again when its transaction is.</summary>
internal sealed class DocumentWrite<TDocument> : IDocumentWrite
    where TDocument : class
{
    private static readonly BulkWriteOptions Unordered = new() { IsOrdered = false };
    private static readonly InsertManyOptions UnorderedInserts = new() { IsOrdered = false };

    private readonly IMongoCollection<TDocument> _collection;
    private readonly List<TDocument>? _inserts;
    private readonly List<WriteModel<TDocument>>? _models;

    private DocumentWrite(IMongoCollection<TDocument> collection, List<TDocument>? inserts, List<WriteModel<TDocument>>? models) =>
        (_collection, _inserts, _models) = (collection, inserts, models);

    public static DocumentWrite<TDocument> Of(DocumentChanges<TDocument> changes, IMongoCollection<TDocument> collection)
    {
        var mapping = CollectionMapping<TDocument>.Instance;
        if (changes.Projection.Kind == ProjectionKind.Inserts)
        {
            var inserts = new List<TDocument>(changes.Count);
            foreach ((string key, TDocument? document) in changes.Documents)
                inserts.Add(mapping.Checked(key, document!));
            return new(collection, inserts, null);
        }

        bool sums = changes.Projection.Kind == ProjectionKind.Sums;
        var models = new List<WriteModel<TDocument>>(changes.Count);
        foreach ((string key, TDocument? document) in changes.Documents)
        {
            FilterDefinition<TDocument> filter = Builders<TDocument>.Filter.Eq("_id", key);
            models.Add(document is null
                ? new DeleteOneModel<TDocument>(filter)
                : sums
                    ? new UpdateOneModel<TDocument>(filter, CollectionMapping<TDocument>.Adding(mapping.Checked(key, document))) { IsUpsert = true }
                    : new ReplaceOneModel<TDocument>(filter, mapping.Checked(key, document)) { IsUpsert = true });
        }

        return new(collection, null, models);
    }

    public Task Apply(IClientSessionHandle session, CancellationToken cancellationToken) =>
        _inserts is not null
            ? _collection.InsertManyAsync(session, _inserts, UnorderedInserts, cancellationToken)
            : _collection.BulkWriteAsync(session, _models!, Unordered, cancellationToken);
}
