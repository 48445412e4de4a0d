using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Embedded.MongoDB.Tests;

/// <summary>Queries whose order an index has, held against the same queries without one.</summary>
public sealed class SortedQueryTests : IAsyncLifetime
{
    private EmbeddedMongoDB _server = null!;
    private MongoClient _client = null!;
    private IMongoDatabase _database = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await EmbeddedMongoDB.StartAsync(new EmbeddedMongoDBOptions(), cancellationToken: Cancellation);
        _client = new MongoClient(_server.ConnectionString);
        _database = _client.GetDatabase("test");
        var random = new Random(7);
        BsonDocument[] documents = [.. Enumerable.Range(0, 400).Select(i =>
        {
            var document = new BsonDocument
            {
                { "_id", $"id{i:D3}" },
                { "a", $"a{random.Next(3)}" },
                { "b", random.Next(4) == 0 ? BsonNull.Value : random.Next(5) },
                { "c", new BsonDateTime(random.Next(4)) },
            };
            if (random.Next(6) == 0)
                document.Remove("b");
            return document;
        }),];
        foreach (string name in (string[])["indexed", "plain"])
            await _database.GetCollection<BsonDocument>(name).InsertManyAsync(documents.Select(d => d.DeepClone().AsBsonDocument),
                cancellationToken: Cancellation);
        await _database.GetCollection<BsonDocument>("indexed").Indexes.CreateManyAsync(
            ((string[])["{ a: 1, b: 1, _id: 1 }", "{ a: 1, c: -1 }", "{ b: 1 }"]).Select(k => new CreateIndexModel<BsonDocument>(k)),
            Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("{}", "{ _id: 1 }", true)]
    [InlineData("{ a: 'a1' }", "{ b: 1, _id: 1 }", true)]
    [InlineData("{ a: 'a1', b: 2 }", "{ _id: 1 }", true)]
    [InlineData("{ a: 'a1', b: null }", "{ b: 1, _id: 1 }", true)]
    [InlineData("{ a: 'a1', b: { $gt: 1 } }", "{ b: 1, _id: 1 }", true)]
    [InlineData("{ a: 'a1', b: { $ne: null } }", "{ b: 1, _id: 1 }", true)]
    [InlineData("{ a: 'a1' }", "{ c: -1, _id: 1 }", true)]
    [InlineData("{ a: 'a1', c: { $lt: { $date: 2 } } }", "{ c: -1, _id: 1 }", true)]
    [InlineData("{ a: 'a1' }", "{ a: -1, b: 1, _id: 1 }", true)]
    [InlineData("{ b: 3 }", "{ _id: 1 }", true)]
    [InlineData("{ a: 'a1' }", "{ c: 1, _id: 1 }", false)]
    [InlineData("{ a: 'a1' }", "{ _id: 1 }", false)]
    [InlineData("{ a: { $in: ['a1', 'a0'] } }", "{ b: 1, _id: 1 }", false)]
    [InlineData("{ a: 'a1' }", "{ b: 1, _id: -1 }", false)]
    [InlineData("{ $or: [{ a: 'a1', b: { $gt: 2 } }, { a: 'a1', b: 2, _id: { $gt: 'id200' } }] }", "{ b: 1, _id: 1 }", null)]
    [InlineData("{ $or: [{ a: 'a1', c: { $lt: { $date: 2 } } }, { a: 'a1', c: null }, { a: 'a1', c: { $date: 2 }, _id: { $gt: 'id200' } "
        + "}] }", "{ c: -1, _id: 1 }", null)]
    [InlineData("{ $or: [{ a: 'a0' }, { b: 1 }] }", "{ _id: 1 }", null)]
    public async Task Documents_come_in_the_same_order_with_and_without_an_index(string filter, string sort, bool? isSortedByIndex)
    {
        foreach (int limit in (int[])[0, 1, 17])
        {
            List<BsonDocument> indexed = await _database.GetCollection<BsonDocument>("indexed").Find(filter).Sort(sort).Limit(limit)
                .ToListAsync(Cancellation);
            List<BsonDocument> plain = await _database.GetCollection<BsonDocument>("plain").Find(filter).Sort(sort).Limit(limit)
                .ToListAsync(Cancellation);
            indexed.ShouldBe(plain, $"limit {limit}");
            indexed.ShouldNotBeEmpty();
        }

        if (isSortedByIndex is { } expected)
            ((await WinningPlan(filter, sort))["stage"] != "SORT").ShouldBe(expected);
    }

    [Fact]
    public async Task Index_over_arrays_does_not_give_an_order()
    {
        IMongoCollection<BsonDocument> items = _database.GetCollection<BsonDocument>("indexed");
        await items.InsertOneAsync(BsonDocument.Parse("{ _id: 'id400', a: 'a1', b: [0, 9] }"), cancellationToken: Cancellation);
        (await WinningPlan("{ a: 'a1' }", "{ b: 1, _id: 1 }"))["stage"].AsString.ShouldBe("SORT");
        // its smallest item counts, which the range leaves out
        (await items.Find("{ a: 'a1', b: { $gt: 2 } }").Sort("{ b: 1, _id: 1 }")
            .FirstAsync(Cancellation))["_id"].AsString.ShouldBe("id400");
        (await WinningPlan("{ b: 3 }", "{ _id: 1 }"))["stage"].AsString.ShouldNotBe("SORT");
        // 0 is below, 9 above
        (await items.Find("{ b: { $gt: 5, $lt: 7 } }").ToListAsync(Cancellation)).Select(d => d["_id"].AsString).ShouldBe(["id400"]);
    }

    private async Task<BsonDocument> WinningPlan(string filter, string sort) =>
        (await _database.RunCommandAsync<BsonDocument>(
            new BsonDocument("explain", new BsonDocument
            {
                { "find", "indexed" },
                { "filter", BsonDocument.Parse(filter) },
                { "sort", BsonDocument.Parse(sort) },
            }), cancellationToken: Cancellation))["queryPlanner"]["winningPlan"].AsBsonDocument;
}
