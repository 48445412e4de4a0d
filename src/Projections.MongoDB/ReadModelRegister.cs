using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB;

/// <summary>
/// One document a read model among the checkpoints: which build is current, and in which collection, by the id that MongoDB gives a
/// collection when it is created. A collection that was dropped, replaced or restored has another id. Thread-safe.
/// </summary>
internal sealed class ReadModelRegister(IMongoDatabase database, IMongoCollection<BsonDocument> checkpoints)
{
    private const string Collection = "collection";
    private const string Partitions = "partitions";
    private const string Until = "until";
    // the shape of the definition that the documents are folded with; nothing: it was not noted when they were begun
    private const string Definition = "definition";
    private const string Aggregates = "aggregates"; // of a read model of several
    private const int NamespaceExists = 48;

    public async Task<ReadModelState?> Load(string name, CancellationToken cancellationToken)
    {
        BsonDocument? stored = await Find(name, cancellationToken).ConfigureAwait(false);
        if (stored is null || Checkpoint.IdOfBuild(stored) is not { } build
            || stored.GetValue(Partitions, BsonNull.Value) is not BsonArray partitions
            || stored.GetValue(Until, BsonNull.Value) is not BsonDocument until
            || Read(partitions.Select(p => p.ToString()!)) is not { } noted || Read(until.Names) is not { } ahead)
            return null;
        BsonValue collection = stored.GetValue(Collection, BsonNull.Value);
        return new ReadModelState
        {
            Build = build,
            IsBeingCleared = collection.IsBsonNull,
            HasDocuments = !collection.IsBsonNull && collection == await IdOf(name, cancellationToken).ConfigureAwait(false),
            Partitions = noted.ToHashSet(),
            Until = ahead.Zip(until.Values).ToDictionary(u => u.First, u => u.Second.ToInt64()),
            Aggregates = stored.GetValue(Aggregates, BsonNull.Value) is BsonArray several
                ? several.Select(a => a.ToString()!).ToHashSet()
                : [],
        };
    }

    /// <summary>Whether the documents can be shown: all that there was when the build began is in them.</summary>
    public async Task<bool> IsWhole(string name, CancellationToken cancellationToken) =>
        await Find(name, cancellationToken).ConfigureAwait(false) is { } stored
            && !stored.GetValue(Collection, BsonNull.Value).IsBsonNull
            && stored.GetValue(Until, BsonNull.Value) is BsonDocument { ElementCount: 0 };

    /// <summary>
    /// The transaction that makes <paramref name="build"/> the current one: whoever writes for another is refused from then on. False: it
    /// is not as it was seen.
    /// </summary>
    public async Task<bool> Begin(
        IClientSessionHandle session, ProjectionDefinition projection, SeenReadModel seen, Guid build,
        IReadOnlyDictionary<EventPartition, long> until, IReadOnlyCollection<string> aggregates, CancellationToken cancellationToken)
    {
        string name = projection.Name;
        if (seen.Partition is { } partition)
        {
            BsonDocument? checkpoint = await checkpoints.Find(session, ById(Checkpoint.IdOf(name, partition))).FirstOrDefaultAsync(
                cancellationToken).ConfigureAwait(false);
            if ((checkpoint is null ? (long?)null : Checkpoint.Read(checkpoint).NextOffset) != seen.NextOffset)
                return false;
        }

        BsonDocument? present = await checkpoints.Find(session, ById(name)).FirstOrDefaultAsync(cancellationToken).ConfigureAwait(false);
        if (seen.Build is { } before && (present is null || Checkpoint.IdOfBuild(present) != before))
            return false;
        if (seen.Build is null && present is not null && await Load(name, cancellationToken).ConfigureAwait(false) is not null)
            return false;
        await checkpoints.DeleteManyAsync(session, new BsonDocument(Checkpoint.Projection, name),
            cancellationToken: cancellationToken).ConfigureAwait(false);
        await checkpoints.ReplaceOneAsync(session, ById(name), new BsonDocument
        {
            { "_id", name },
            { Checkpoint.Build, Checkpoint.Binary(build) },
            { Collection, BsonNull.Value },
            { Partitions, new BsonArray() },
            { Until, new BsonDocument(until.Select(u => new BsonElement(u.Key.ToString(), u.Value))) },
            { Aggregates, new BsonArray(aggregates), aggregates.Count > 0 },
            { Definition, new BsonArray(ReadModelShape.Of(projection)) },
        }, new ReplaceOptions { IsUpsert = true }, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>
    /// How the definition differs from the one that the documents were folded with, as far as that can be seen; null: it does not. Where
    /// nothing was noted yet, it is noted now.
    /// </summary>
    public async Task<string?> ChangeOf(ProjectionDefinition projection, CancellationToken cancellationToken)
    {
        if (await Find(projection.Name, cancellationToken).ConfigureAwait(false) is not { } stored
            || Checkpoint.IdOfBuild(stored) is not { } build)
            return null;
        IReadOnlyList<string> shape = ReadModelShape.Of(projection);
        if (stored.GetValue(Definition, BsonNull.Value) is BsonArray before)
            return ReadModelShape.Difference([.. before.Select(l => l.ToString()!)], shape);
        await checkpoints.UpdateOneAsync(OfBuild(projection.Name, build),
            Builders<BsonDocument>.Update.Set(Definition, new BsonArray(shape)),
            cancellationToken: cancellationToken).ConfigureAwait(false);
        return null;
    }

    /// <summary>
    /// Puts an empty collection in the place of the documents, and lets <paramref name="build"/> begin. False: another build has begun
    /// meanwhile.
    /// </summary>
    public async Task<bool> Clear(ProjectionDefinition projection, Guid build, CancellationToken cancellationToken)
    {
        string name = projection.Name;
        await database.DropCollectionAsync(name, cancellationToken).ConfigureAwait(false);
        await Create(name, cancellationToken).ConfigureAwait(false);
        await CreateIndexes(projection, cancellationToken).ConfigureAwait(false);
        UpdateResult begun = await checkpoints.UpdateOneAsync(
            OfBuild(name, build), Builders<BsonDocument>.Update.Set(Collection, await IdOf(name, cancellationToken).ConfigureAwait(false)),
            cancellationToken: cancellationToken).ConfigureAwait(false);
        return begun.MatchedCount == 1;
    }

    public Task CreateIndexes(ProjectionDefinition projection, CancellationToken cancellationToken)
    {
        CreateIndexModel<BsonDocument>[] models = [.. MongoIndex.Of(projection).Select(i => i.ToModel())];
        return models.Length == 0
            ? Task.CompletedTask
            : database.GetCollection<BsonDocument>(projection.Name).Indexes.CreateManyAsync(models, cancellationToken);
    }

    public async Task Create(string name, CancellationToken cancellationToken)
    {
        try
        {
            await database.CreateCollectionAsync(name, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        catch (MongoCommandException exists) when (exists.Code == NamespaceExists)
        {
            // Another node was first.
        }
    }

    /// <summary>
    /// Notes that <paramref name="build"/> has a checkpoint of <paramref name="partition"/>; false: it is not the current one.
    /// </summary>
    public async Task<bool> AddPartition(IClientSessionHandle session, string name, Guid build, EventPartition partition,
        CancellationToken cancellationToken) =>
        (await checkpoints.UpdateOneAsync(session, OfBuild(name, build),
            Builders<BsonDocument>.Update.AddToSet(Partitions, partition.Aggregate is null
                ? (BsonValue)partition.Partition
                : partition.ToString()), cancellationToken: cancellationToken).ConfigureAwait(false)).MatchedCount == 1;

    public Task Complete(string name, Guid build, CancellationToken cancellationToken) =>
        checkpoints.UpdateOneAsync(OfBuild(name, build), Builders<BsonDocument>.Update.Set(Until, new BsonDocument()),
            cancellationToken: cancellationToken);

    private static List<EventPartition>? Read(IEnumerable<string> texts)
    {
        var partitions = new List<EventPartition>();
        foreach (string text in texts)
        {
            if (!EventPartition.TryParse(text, out EventPartition partition))
                return null;
            partitions.Add(partition);
        }

        return partitions;
    }

    private static BsonDocument ById(string id) => new("_id", id);

    private static BsonDocument OfBuild(string name, Guid build) =>
        new() { { "_id", name }, { Checkpoint.Build, Checkpoint.Binary(build) } };

    private async Task<BsonDocument?> Find(string name, CancellationToken cancellationToken) =>
        await checkpoints.Find(ById(name)).FirstOrDefaultAsync(cancellationToken).ConfigureAwait(false);

    private async Task<BsonValue> IdOf(string name, CancellationToken cancellationToken)
    {
        var options = new ListCollectionsOptions { Filter = new BsonDocument("name", name) };
        using IAsyncCursor<BsonDocument> found = await database.ListCollectionsAsync(options, cancellationToken).ConfigureAwait(false);
        return (await found.ToListAsync(cancellationToken).ConfigureAwait(false)).FirstOrDefault() is { } collection
            && collection.GetValue("info", new BsonDocument()).AsBsonDocument.TryGetValue("uuid", out BsonValue id)
            ? id
            : BsonUndefined.Value;
    }
}
