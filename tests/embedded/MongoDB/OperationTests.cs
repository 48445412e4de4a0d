using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Embedded.MongoDB.Tests;

/// <summary>Queries that take long, and how they end. Once one went on after its client had left, to the end of the collection.</summary>
public sealed class OperationTests : IAsyncLifetime
{
    // Hours of work in little memory: ten thousand times ten thousand additions a document.
    private static readonly BsonDocument Endless = BsonDocument.Parse("""
        { $gt: [{ $reduce: { input: { $range: [0, 10000] }, initialValue: 0, in: { $reduce: { input: { $range: [0, 10000] }, initialValue: "$n", in: { $add: ["$$value", "$$this"] } } } } }, -1] }
        """);

    private EmbeddedMongoDB _server = null!;
    private MongoClient _client = null!;
    private IMongoCollection<BsonDocument> _items = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await EmbeddedMongoDB.StartAsync(new EmbeddedMongoDBOptions(), cancellationToken: Cancellation);
        _client = new MongoClient(_server.ConnectionString);
        _items = _client.GetDatabase("test").GetCollection<BsonDocument>("items");
        await _items.InsertManyAsync(Enumerable.Range(0, 1_000).Select(i => new BsonDocument { { "_id", i }, { "n", i } }),
            cancellationToken: Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("aggregate")]
    [InlineData("find")]
    [InlineData("count")]
    [InlineData("update")]
    [InlineData("sort")]
    public async Task Operation_that_exceeds_maxTimeMS_ends_with_code_50(string kind)
    {
        var time = TimeSpan.FromMilliseconds(50);
        var filter = new BsonDocument("$expr", Endless);
        int code = kind == "update"
            ? (await Should.ThrowAsync<MongoExecutionTimeoutException>(() => _items.Database.RunCommandAsync<BsonDocument>(
                new BsonDocument
                {
                    { "update", "items" },
                    { "updates",
                        new BsonArray { new BsonDocument
                        {
                            { "q", filter },
                            { "u", BsonDocument.Parse("{ $set: { x: 1 } }") },
                            { "multi", true },
                        } } },
                    { "maxTimeMS", 50 },
                },
                cancellationToken: Cancellation))).Code
            : (await Should.ThrowAsync<MongoExecutionTimeoutException>(() => kind switch
            {
                "find" => _items.Find(filter, new FindOptions { MaxTime = time }).ToListAsync(Cancellation),
                "count" => _items.CountDocumentsAsync(filter, new CountOptions { MaxTime = time }, Cancellation),
                "sort" => _items.Find(filter, new FindOptions { MaxTime = time }).Sort("{ n: -1 }").ToListAsync(Cancellation),
                _ => _items.Aggregate(new AggregateOptions { MaxTime = time }).Match(filter).Group("{ _id: null, n: { $sum: 1 } }")
                    .ToListAsync(Cancellation),
            })).Code;
        code.ShouldBe(50);
        (await Running()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Cursor_has_its_maxTimeMS_for_all_batches_together()
    {
        BsonDocument filter = EndlessFrom(5);
        using IAsyncCursor<BsonDocument> cursor = await _items.FindAsync(filter,
            new FindOptions<BsonDocument> { BatchSize = 2, MaxTime = TimeSpan.FromSeconds(1) }, Cancellation);
        (await Should.ThrowAsync<MongoExecutionTimeoutException>(async () =>
        {
            while (await cursor.MoveNextAsync(Cancellation))
            {
            }
        })).Code.ShouldBe(50);
    }

    [Fact]
    public async Task Query_whose_client_has_left_ends()
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        Task<List<BsonDocument>> query = _items.Find(new BsonDocument("$expr", Endless)).ToListAsync(leave.Token);
        await Running(until: running => running.Length == 1);
        await leave.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => query);
        await Running(until: running => running.Length == 0);
    }

    [Fact]
    public async Task KillOp_ends_an_operation_with_code_11601()
    {
        Task<List<BsonDocument>> query = _items.Find(new BsonDocument("$expr", Endless)).ToListAsync(Cancellation);
        BsonDocument running = (await Running(until: r => r.Length == 1))[0];
        running["ns"].AsString.ShouldBe("test.items");
        await _client.GetDatabase("admin").RunCommandAsync<BsonDocument>(new BsonDocument { { "killOp", 1 }, { "op", running["opid"] } },
            cancellationToken: Cancellation);
        (await Should.ThrowAsync<global::MongoDB.Driver.MongoCommandException>(() => query)).Code.ShouldBe(11601);
    }

    [Fact]
    public async Task KillCursors_ends_a_getMore_that_runs_with_code_237()
    {
        using IClientSessionHandle session = await _client.StartSessionAsync(cancellationToken: Cancellation);
        BsonDocument first = await _items.Database.RunCommandAsync<BsonDocument>(
            new BsonDocument { { "find", "items" }, { "filter", EndlessFrom(3) }, { "batchSize", 1 } }, cancellationToken: Cancellation);
        BsonValue id = first["cursor"]["id"];
        Task<BsonDocument> more = _items.Database.RunCommandAsync<BsonDocument>(
            new BsonDocument { { "getMore", id }, { "collection", "items" }, { "batchSize", 10 } }, cancellationToken: Cancellation);
        await Running(until: r => r.Length == 1);
        BsonDocument killed = await _items.Database.RunCommandAsync<BsonDocument>(
            new BsonDocument { { "killCursors", "items" }, { "cursors", new BsonArray { id } } }, cancellationToken: Cancellation);
        killed["cursorsKilled"].ShouldBe(new BsonArray { id });
        (await Should.ThrowAsync<global::MongoDB.Driver.MongoCommandException>(() => more)).Code.ShouldBe(237);
    }

    [Fact]
    public async Task Server_that_is_stopped_does_not_wait_for_a_query()
    {
        Task<List<BsonDocument>> query = _items.Find(new BsonDocument("$expr", Endless)).ToListAsync(Cancellation);
        await Running(until: r => r.Length == 1);
        await _server.DisposeAsync();
        await Should.ThrowAsync<MongoException>(() => query);
    }

    [Fact]
    public async Task Cursor_ends_with_its_session()
    {
        using IClientSessionHandle session = await _client.StartSessionAsync(cancellationToken: Cancellation);
        BsonDocument first = await _items.Database.RunCommandAsync<BsonDocument>(session,
            new BsonDocument { { "find", "items" }, { "batchSize", 1 } }, cancellationToken: Cancellation);
        await _client.GetDatabase("admin").RunCommandAsync<BsonDocument>(
            new BsonDocument("endSessions", new BsonArray { session.ServerSession.Id }), cancellationToken: Cancellation);
        (await Should.ThrowAsync<global::MongoDB.Driver.MongoCommandException>(() => _items.Database.RunCommandAsync<BsonDocument>(
            new BsonDocument { { "getMore", first["cursor"]["id"] }, { "collection", "items" } }, cancellationToken: Cancellation))).Code
            .ShouldBe(43);
    }

    [Theory]
    [InlineData("{ find: 'items', maxTimeMS: -1 }")]
    [InlineData("{ find: 'items', maxTimeMS: 1.5 }")]
    [InlineData("{ find: 'items', maxTimeMS: 'long' }")]
    public async Task MaxTimeMS_that_is_no_time_is_refused(string command) =>
        (await Should.ThrowAsync<global::MongoDB.Driver.MongoCommandException>(() =>
            _items.Database.RunCommandAsync<BsonDocument>(BsonDocument.Parse(command), cancellationToken: Cancellation))).Code.ShouldBe(2);

    [Fact]
    public async Task Batches_of_large_documents_have_16_MB_at_most()
    {
        IMongoCollection<BsonDocument> large = _items.Database.GetCollection<BsonDocument>("large");
        for (int i = 0; i < 40; i++)
            await large.InsertOneAsync(new BsonDocument { { "_id", i }, { "text", new string('x', 1024 * 1024) } },
                cancellationToken: Cancellation);
        using IAsyncCursor<RawBsonDocument> cursor = await _items.Database.GetCollection<RawBsonDocument>("large")
            .FindAsync<RawBsonDocument>("{}", new FindOptions<RawBsonDocument> { BatchSize = 1_000 }, Cancellation);
        var batches = new List<int>();
        while (await cursor.MoveNextAsync(Cancellation))
        {
            batches.Add(cursor.Current.Count());
            cursor.Current.Sum(d => d.Slice.Length).ShouldBeLessThanOrEqualTo(16 * 1024 * 1024);
        }

        batches.ShouldBe([15, 15, 10]);
    }

    private static BsonDocument EndlessFrom(int id) =>
        new("$expr", new BsonDocument("$cond", new BsonArray { new BsonDocument("$lt", new BsonArray { "$_id", id }), true, Endless }));

    // What runs beside this question itself.
    private async Task<BsonDocument[]> Running(Func<BsonDocument[], bool>? until = null)
    {
        while (true)
        {
            BsonDocument all = await _client.GetDatabase("admin").RunCommandAsync<BsonDocument>(new BsonDocument("currentOp", 1),
                cancellationToken: Cancellation);
            BsonDocument[] others = [.. all["inprog"].AsBsonArray.Cast<BsonDocument>().Where(o =>
                o["command"].AsBsonDocument.GetElement(0).Name is not ("currentOp" or "hello" or "isMaster" or "killCursors"))];
            if (until is null || until(others))
                return others;
        }
    }
}
