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
        _servers = await ServersOrSkip.Start(Cancellation);

        _database = TestServers.UniqueName("tally");
        _store = NewStore();
        await _store.PrepareAsync(Tally.All, Cancellation);
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
        (await _store.Database.GetCollection<BsonDocument>("entries")
            .CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(3);
        (await _store.NextOf(Tally.Totals, 0, Cancellation)).ShouldBe(3);
        (await _store.NextOf(Tally.Totals, 1, Cancellation)).ShouldBeNull();

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
    public async Task Document_that_somebody_else_put_in_the_place_of_a_new_one_is_replaced()
    {
        var putting = new PuttingStore(
            _store, () => _store.Database.GetCollection<BsonDocument>("totals").InsertOneAsync(
                BsonDocument.Parse("{ _id: 'a', sum: 99, events: 9 }"), cancellationToken: Cancellation));
        await using var engine = new ProjectionEngine([Tally.Totals], putting, new ProjectionEngineOptions(),
            NullLogger<ProjectionEngine>.Instance);
        await engine.Project(0, [Event(0, "a", 1, 5)], 1, Cancellation);
        (await Documents("totals")).ShouldBe(["a:5:1"]);
        (await _store.NextOf(Tally.Totals, 0, Cancellation)).ShouldBe(1);
    }

    [Fact]
    public async Task Inserted_document_that_is_stored_already_is_refused_and_nothing_is_written()
    {
        await using var engine = new ProjectionEngine([Tally.Entries], _store, new ProjectionEngineOptions(),
            NullLogger<ProjectionEngine>.Instance);
        await engine.InspectAsync(Cancellation);
        await _store.Database.GetCollection<BsonDocument>("entries").InsertOneAsync(BsonDocument.Parse("{ _id: 'a/1', by: 99 }"),
            cancellationToken: Cancellation);
        (await Should.ThrowAsync<DocumentWriteException>(() =>
            engine.Project(0, [Event(0, "a", 1, 5), Event(1, "a", 2, 5)], 2, Cancellation))).Code.ShouldBe(11000);
        (await _store.Database.GetCollection<BsonDocument>("entries")
            .CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(1);
        (await _store.NextOf(Tally.Entries, 0, Cancellation)).ShouldBeNull();
    }

    [Fact]
    public async Task Batch_larger_than_one_command_is_written_whole()
    {
        const int Count = 60_000;
        await Project(_store, [.. Enumerable.Range(0, Count).Select(i => Event(i, "a", i + 1, 1))], next: Count);
        (await _store.Database.GetCollection<BsonDocument>("entries")
            .CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(Count);
        (await Documents("totals")).ShouldBe([$"a:{Count}:{Count}"]);
    }

    [Fact]
    public async Task Checkpoint_that_another_writer_moved_writes_nothing()
    {
        await Project(_store, [Event(0, "a", 1, 5)], next: 1);
        Guid build = (await _store.LoadStateAsync(Tally.Totals, Cancellation))!.Build;
        CheckpointMovedException moved = await Should.ThrowAsync<CheckpointMovedException>(() =>
            _store.CommitAsync([], [new CheckpointMove("totals", 0, build, From: 0, To: 9, TopicId: null)], Cancellation));
        moved.Move.Projection.ShouldBe("totals");
        await Should.ThrowAsync<CheckpointMovedException>(() =>
            _store.CommitAsync([], [new CheckpointMove("totals", 0, build, From: null, To: 9, TopicId: null)], Cancellation));
        (await _store.NextOf(Tally.Totals, 0, Cancellation)).ShouldBe(1);
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
            await using var engine = new ProjectionEngine(Tally.All, store, new ProjectionEngineOptions(),
                NullLogger<ProjectionEngine>.Instance);
            for (int at = 0; at < events.Count; at += 10)
                await engine.Project(0, events.GetRange(at, 10), at + 10, Cancellation);
        }
    }

    private static RecordedEvent Event(long offset, string aggregate, long version, int by) =>
        Tally.Event(0, offset, aggregate, version, new Added(by));

    private static async Task Project(MongoProjectionStore store, List<RecordedEvent> events, long next)
    {
        await using var engine = new ProjectionEngine(Tally.All, store, new ProjectionEngineOptions(),
            NullLogger<ProjectionEngine>.Instance);
        await engine.Project(0, events, next, Cancellation);
    }

    private MongoProjectionStore NewStore() =>
        new(new MongoProjectionOptions { ConnectionString = _servers.Addresses.MongoDB!, Database = _database }, TimeProvider.System,
            NullLogger<MongoProjectionStore>.Instance);

    private async Task<IEnumerable<string>> Documents(string collection) =>
        (await _store.Database.GetCollection<BsonDocument>(collection).Find("{}").Sort("{ _id: 1 }").ToListAsync(Cancellation)).Select(d =>
            $"{d["_id"]}:{d["sum"]}:{d["events"]}");

    /// <summary>Somebody else writes right before each commit.</summary>
    private sealed class PuttingStore(IProjectionStore inner, Func<Task> put) : IProjectionStore
    {
        public Task PrepareAsync(IReadOnlyList<ProjectionDefinition> projections, CancellationToken cancellationToken) =>
            inner.PrepareAsync(projections, cancellationToken);

        public Task<ReadModelState?> LoadStateAsync(ProjectionDefinition projection, CancellationToken cancellationToken) =>
            inner.LoadStateAsync(projection, cancellationToken);

        public Task<ReadModelCheckpoint?> LoadCheckpointAsync(
            ProjectionDefinition projection, EventPartition partition, CancellationToken cancellationToken) =>
            inner.LoadCheckpointAsync(projection, partition, cancellationToken);

        public Task<IReadOnlyDictionary<string, StoredDocument<TDocument>>> LoadAsync<TDocument>(
            ProjectionDefinition<TDocument> projection, IReadOnlyCollection<string> keys, CancellationToken cancellationToken)
            where TDocument : class => inner.LoadAsync(projection, keys, cancellationToken);

        public async Task<long> CommitAsync(IReadOnlyList<DocumentChanges> changes, IReadOnlyList<CheckpointMove> checkpoints,
            CancellationToken cancellationToken)
        {
            await put();
            return await inner.CommitAsync(changes, checkpoints, cancellationToken);
        }

        public Task<bool> StartAnewAsync(ProjectionDefinition projection, SeenReadModel seen,
            IReadOnlyDictionary<EventPartition, long> until, IReadOnlyCollection<string> aggregates, CancellationToken cancellationToken) =>
            inner.StartAnewAsync(projection, seen, until, aggregates, cancellationToken);

        public Task CompleteAsync(ProjectionDefinition projection, Guid build, CancellationToken cancellationToken) =>
            inner.CompleteAsync(projection, build, cancellationToken);
    }
}
