using KafkaEventSourcing.Projections.Tests;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB.Tests;

/// <summary>What an operator does to the database of the read models.</summary>
public sealed class MongoReadModelDamageTests : ReadModelDamageContract, IAsyncLifetime
{
    private TestServers _servers = null!;
    private MongoProjectionStore _store = null!;
    private BsonDocument? _saved;

    private protected override IProjectionStore Store => _store;

    private IMongoCollection<BsonDocument> Checkpoints => _store.Database.GetCollection<BsonDocument>("checkpoints");

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);
        var options = new MongoProjectionOptions
        {
            ConnectionString = _servers.Addresses.MongoDB!,
            Database = TestServers.UniqueName("damage"),
        };
        _store = new MongoProjectionStore(options, TimeProvider.System, NullLogger<MongoProjectionStore>.Instance);
        await _store.PrepareAsync(Tally.All, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _store.Dispose();
        await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Index_that_somebody_dropped_is_made_again()
    {
        await using var engine = new ProjectionEngine(Tally.All, _store,
            new ProjectionEngineOptions { CheckInterval = TimeSpan.FromHours(1) }, NullLogger<ProjectionEngine>.Instance);
        await engine.InspectAsync(Cancellation);
        (await Indexes("totals")).ShouldBe(["_id_", "sum_1__id_1"]);
        await _store.Database.GetCollection<BsonDocument>("totals").Indexes.DropAllAsync(Cancellation);
        await engine.InspectAsync(Cancellation);
        (await Indexes("totals")).ShouldBe(["_id_", "sum_1__id_1"]);
    }

    [Fact]
    public async Task Collection_that_was_renamed_away_is_missed()
    {
        await using var engine = new ProjectionEngine(Tally.All, _store,
            new ProjectionEngineOptions { CheckInterval = TimeSpan.FromHours(1) }, NullLogger<ProjectionEngine>.Instance);
        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(5))], 1, Cancellation);
        await _store.Database.RenameCollectionAsync("totals", "totals_old", cancellationToken: Cancellation);
        await _store.Database.CreateCollectionAsync("totals", cancellationToken: Cancellation);
        await engine.InspectAsync(Cancellation);
        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(5))], 1, Cancellation);
        (await Documents("totals")).ShouldBe(["Total { Id = a, Sum = 5, Events = 1 }"]);
        (await Documents("totals_old")).ShouldBe(["Total { Id = a, Sum = 5, Events = 1 }"]);
    }

    // A node that was killed while it deleted a read model must not leave it so for ever.
    [Fact]
    public async Task Build_that_nobody_finished_to_begin_is_begun_by_another_node()
    {
        var options = new ProjectionEngineOptions { CheckInterval = TimeSpan.FromHours(1), ClearPatience = TimeSpan.FromMilliseconds(200) };
        await using var engine = new ProjectionEngine(Tally.All, _store, options, NullLogger<ProjectionEngine>.Instance);
        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(5))], 1, Cancellation);
        await Checkpoints.UpdateOneAsync("{ _id: 'totals' }", "{ $set: { collection: null } }", cancellationToken: Cancellation);
        await engine.InspectAsync(Cancellation);
        await engine.Project(0, [Tally.Event(0, 0, "a", 1, new Added(5))], 1, Cancellation);
        (await Documents("totals")).ShouldBe(["Total { Id = a, Sum = 5, Events = 1 }"]);
    }

    protected override async Task Save(string readModel, int partition) =>
        _saved = await Checkpoints.Find(new BsonDocument("_id", $"{readModel}/{partition}")).SingleAsync(Cancellation);

    protected override async Task Do(Damage damage, string readModel)
    {
        var checkpoint = new BsonDocument("_id", $"{readModel}/0");
        switch (damage)
        {
            case Damage.CheckpointGone:
                await Checkpoints.DeleteOneAsync(checkpoint, Cancellation);
                break;
            case Damage.CheckpointSetBack:
                await Checkpoints.UpdateOneAsync(checkpoint, "{ $set: { nextOffset: 3 } }", cancellationToken: Cancellation);
                break;
            case Damage.CheckpointSetAhead:
                await Checkpoints.UpdateOneAsync(checkpoint, "{ $inc: { nextOffset: 1 } }", cancellationToken: Cancellation);
                break;
            case Damage.CheckpointRestored when readModel == "totals":
                await Checkpoints.ReplaceOneAsync(checkpoint, _saved!, cancellationToken: Cancellation);
                break;
            case Damage.AllCheckpointsGone:
                await Checkpoints.DeleteManyAsync("{}", Cancellation);
                break;
            case Damage.DocumentsDropped:
                await _store.Database.DropCollectionAsync(readModel, Cancellation);
                break;
            case Damage.DocumentsReplaced:
                List<BsonDocument> documents = await _store.Database.GetCollection<BsonDocument>(readModel).Find("{}").ToListAsync(
                    Cancellation);
                await _store.Database.DropCollectionAsync(readModel, Cancellation);
                await _store.Database.GetCollection<BsonDocument>(readModel).InsertManyAsync(documents.Take(3),
                    cancellationToken: Cancellation);
                break;
            case Damage.EverythingDropped:
                await _store.Database.Client.DropDatabaseAsync(_store.Database.DatabaseNamespace.DatabaseName, Cancellation);
                break;
        }
    }

    protected override async Task<string[]> Documents(string readModel) =>
    [
        .. (await _store.Database.GetCollection<BsonDocument>(readModel).Find("{}").ToListAsync(Cancellation)).Select(d => d switch
        {
            _ when d.Contains("by") => new Entry(d["_id"].AsString, d["by"].ToInt32()).ToString(),
            _ when d.Contains("events") => new Total(d["_id"].AsString, d["sum"].ToInt64(), d["events"].ToInt32()).ToString(),
            _ => new Day(d["_id"].AsString, d["sum"].ToInt64()).ToString(),
        }).Order(StringComparer.Ordinal),
    ];

    private async Task<string[]> Indexes(string collection)
    {
        using IAsyncCursor<BsonDocument> indexes = await _store.Database.GetCollection<BsonDocument>(collection).Indexes.ListAsync(
            Cancellation);
        return [.. (await indexes.ToListAsync(Cancellation)).Select(i => i["name"].AsString)];
    }
}
