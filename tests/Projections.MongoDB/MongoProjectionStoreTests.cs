using KafkaEventSourcing.Projections.Tests;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB.Tests;

/// <summary>Documents and checkpoints in one transaction of a real driver.</summary>
public sealed class MongoProjectionStoreTests : IAsyncLifetime
{
    private TestServers _servers = null!;
    private MongoProjectionStore _store = null!;
    private string _database = "";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        try
        {
            _servers = await TestServers.Start(Cancellation);
        }
        catch (TestServersUnavailableException unavailable)
        {
            Assert.Skip(unavailable.Message);
        }

        _database = TestServers.UniqueName("tally");
        _store = NewStore();
        await _store.Prepare(Tally.All, Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _store.Dispose();
        await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Documents_and_checkpoints_are_written_together_and_read_back()
    {
        await Project(_store, [Event(0, "a", 1, 5), Event(1, "a", 2, 7), Event(2, "b", 1, 1)], next: 3);
        (await Documents("totals")).ShouldBe(["a:12:2", "b:1:1"]);
        (await _store.Database.GetCollection<BsonDocument>("entries").CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(3);
        (await _store.LoadCheckpoint("totals", 0, Cancellation)).ShouldBe(3);
        (await _store.LoadCheckpoint("totals", 1, Cancellation)).ShouldBeNull();

        using MongoProjectionStore restarted = NewStore();
        await Project(restarted, [Event(2, "b", 1, 1), Event(3, "b", 2, 9)], next: 4);
        (await Documents("totals")).ShouldBe(["a:12:2", "b:10:2"]);
    }

    [Fact]
    public async Task Fold_to_null_deletes_the_document()
    {
        await Project(_store, [Event(0, "a", 1, 5)], next: 1);
        await Project(_store, [Tally.Event(0, 1, "a", 2, new Cleared())], next: 2);
        (await Documents("totals")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Checkpoint_that_another_writer_moved_writes_nothing()
    {
        await Project(_store, [Event(0, "a", 1, 5)], next: 1);
        CheckpointMovedException moved = await Should.ThrowAsync<CheckpointMovedException>(() => _store.Commit([], [new CheckpointMove("totals", 0, From: 0, To: 9)], Cancellation));
        moved.Move.Projection.ShouldBe("totals");
        await Should.ThrowAsync<CheckpointMovedException>(() => _store.Commit([], [new CheckpointMove("totals", 0, From: null, To: 9)], Cancellation));
        (await _store.LoadCheckpoint("totals", 0, Cancellation)).ShouldBe(1);
    }

    [Fact]
    public async Task Two_stores_that_race_write_each_event_once()
    {
        using MongoProjectionStore other = NewStore();
        List<RecordedEvent> events = [.. Enumerable.Range(0, 200).Select(i => Event(i, "a", i + 1, 1))];
        await Task.WhenAll(Race(_store), Race(other));
        (await Documents("totals")).ShouldBe(["a:200:200"]);

        async Task Race(MongoProjectionStore store)
        {
            await using var engine = new ProjectionEngine(Tally.All, store, new ProjectionEngineOptions(), NullLogger<ProjectionEngine>.Instance);
            for (int at = 0; at < events.Count; at += 10)
                await engine.Project(0, events.GetRange(at, 10), at + 10, Cancellation);
        }
    }

    private static RecordedEvent Event(long offset, string aggregate, long version, int by) => Tally.Event(0, offset, aggregate, version, new Added(by));

    private static async Task Project(MongoProjectionStore store, List<RecordedEvent> events, long next)
    {
        await using var engine = new ProjectionEngine(Tally.All, store, new ProjectionEngineOptions(), NullLogger<ProjectionEngine>.Instance);
        await engine.Project(0, events, next, Cancellation);
    }

    private MongoProjectionStore NewStore() =>
        new(new MongoProjectionOptions { ConnectionString = _servers.Addresses.MongoDB!, Database = _database, Indexes = [] }, TimeProvider.System, NullLogger<MongoProjectionStore>.Instance);

    private async Task<IEnumerable<string>> Documents(string collection) =>
        (await _store.Database.GetCollection<BsonDocument>(collection).Find("{}").Sort("{ _id: 1 }").ToListAsync(Cancellation)).Select(d => $"{d["_id"]}:{d["sum"]}:{d["events"]}");
}
