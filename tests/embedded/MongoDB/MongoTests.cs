using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Embedded.MongoDB.Tests;

/// <summary>What MongoDB's own driver sees of the server.</summary>
public sealed class MongoTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-mongo-").FullName;
    private EmbeddedMongoDB _server = null!;
    private MongoClient _client = null!;
    private IMongoCollection<BsonDocument> _items = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Start();

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("{ n: { $gt: 7 } }", "8 9")]
    [InlineData("{ n: { $gte: 3, $lt: 5 } }", "3 4")]
    [InlineData("{ n: { $in: [1, 4, 99] } }", "1 4")]
    [InlineData("{ n: { $nin: [0, 1, 2, 3, 4, 5, 6, 7] } }", "8 9")]
    [InlineData("{ even: true, n: { $ne: 4 } }", "0 2 6 8")]
    [InlineData("{ $or: [{ n: 1 }, { n: 2 }] }", "1 2")]
    [InlineData("{ $and: [{ even: true }, { n: { $gt: 5 } }] }", "6 8")]
    [InlineData("{ $nor: [{ n: { $lt: 8 } }] }", "8 9")]
    [InlineData("{ n: { $not: { $lt: 9 } } }", "9")]
    [InlineData("{ 'nested.deep': 3 }", "3")]
    [InlineData("{ tags: 't5' }", "5")]
    [InlineData("{ tags: { $all: ['all', 't2'] } }", "2")]
    [InlineData("{ tags: { $size: 2 }, n: { $lte: 1 } }", "0 1")]
    [InlineData("{ name: /^item [12]$/ }", "1 2")]
    [InlineData("{ odd: { $exists: true } }", "1 3 5 7 9")]
    [InlineData("{ odd: null, n: { $lt: 3 } }", "0 2")]
    [InlineData("{ n: { $mod: [4, 1] } }", "1 5 9")]
    [InlineData("{ n: { $type: 'string' } }", "")]
    [InlineData("{ tags: { $elemMatch: { $eq: 't7' } } }", "7")]
    [InlineData("{ $expr: { $eq: ['$n', '$nested.deep'] }, n: { $lt: 2 } }", "0 1")]
    public async Task Find_with_a_filter_gives_what_fits(string filter, string expected)
    {
        await InsertTen();
        List<BsonDocument> found = await _items.Find(BsonDocument.Parse(filter)).Sort("{ _id: 1 }").ToListAsync(Cancellation);
        string.Join(' ', found.Select(d => d["n"])).ShouldBe(expected);
    }

    [Theory]
    [InlineData("{ $set: { n: 5 } }", "{ _id: 1, n: 5, a: [1, 2, 2] }")]
    [InlineData("{ $inc: { n: 2, m: 1 } }", "{ _id: 1, n: 3, a: [1, 2, 2], m: 1 }")]
    [InlineData("{ $mul: { n: 4 } }", "{ _id: 1, n: 4, a: [1, 2, 2] }")]
    [InlineData("{ $unset: { n: '' } }", "{ _id: 1, a: [1, 2, 2] }")]
    [InlineData("{ $min: { n: 0 } }", "{ _id: 1, n: 0, a: [1, 2, 2] }")]
    [InlineData("{ $max: { n: 0 } }", "{ _id: 1, n: 1, a: [1, 2, 2] }")]
    [InlineData("{ $rename: { n: 'o' } }", "{ _id: 1, a: [1, 2, 2], o: 1 }")]
    [InlineData("{ $push: { a: 3 } }", "{ _id: 1, n: 1, a: [1, 2, 2, 3] }")]
    [InlineData("{ $push: { a: { $each: [9, 8], $slice: -2 } } }", "{ _id: 1, n: 1, a: [9, 8] }")]
    [InlineData("{ $addToSet: { a: { $each: [2, 3] } } }", "{ _id: 1, n: 1, a: [1, 2, 2, 3] }")]
    [InlineData("{ $pull: { a: 2 } }", "{ _id: 1, n: 1, a: [1] }")]
    [InlineData("{ $pop: { a: 1 } }", "{ _id: 1, n: 1, a: [1, 2] }")]
    [InlineData("{ $set: { 'x.y': 1 } }", "{ _id: 1, n: 1, a: [1, 2, 2], x: { y: 1 } }")]
    public async Task Update_operator_changes_the_document_as_MongoDB_does(string update, string expected)
    {
        await _items.InsertOneAsync(BsonDocument.Parse("{ _id: 1, n: 1, a: [1, 2, 2] }"), cancellationToken: Cancellation);
        await _items.UpdateOneAsync("{ _id: 1 }", BsonDocument.Parse(update), cancellationToken: Cancellation);
        (await _items.Find("{}").SingleAsync(Cancellation)).ShouldBe(BsonDocument.Parse(expected));
    }

    [Fact]
    public async Task Aggregate_groups_sorts_and_computes()
    {
        await InsertTen();
        List<BsonDocument> result = await _items.Aggregate<BsonDocument>(new[]
        {
            BsonDocument.Parse("{ $match: { n: { $gt: 0 } } }"),
            BsonDocument.Parse(
                "{ $group: { _id: '$even', sum: { $sum: '$n' }, avg: { $avg: '$n' }, max: { $max: '$n' }, all: { $push: '$n' } } }"),
            BsonDocument.Parse("{ $addFields: { double: { $multiply: ['$sum', 2] }, kind: { $cond: ['$_id', 'even', 'odd'] } } }"),
            BsonDocument.Parse("{ $sort: { _id: 1 } }"),
            BsonDocument.Parse("{ $project: { _id: 0, kind: 1, sum: 1, double: 1, avg: 1, max: 1, count: { $size: '$all' } } }"),
        }).ToListAsync(Cancellation);
        result.ShouldBe((IEnumerable<BsonDocument>)[
            BsonDocument.Parse("{ sum: 25, avg: 5.0, max: 9, double: 50, kind: 'odd', count: 5 }"),
            BsonDocument.Parse("{ sum: 20, avg: 5.0, max: 8, double: 40, kind: 'even', count: 4 }"),
        ]);
    }

    [Fact]
    public async Task Aggregate_unwind_lookup_facet_and_count()
    {
        await InsertTen();
        IMongoCollection<BsonDocument> owners = _items.Database.GetCollection<BsonDocument>("owners");
        await owners.InsertManyAsync([BsonDocument.Parse("{ _id: 't3', owner: 'Ada' }"),
            BsonDocument.Parse("{ _id: 'all', owner: 'Bob' }")], cancellationToken: Cancellation);
        BsonDocument joined = await _items.Aggregate<BsonDocument>(new[]
        {
            BsonDocument.Parse("{ $match: { n: 3 } }"), BsonDocument.Parse("{ $unwind: '$tags' }"),
            BsonDocument.Parse("{ $lookup: { from: 'owners', localField: 'tags', foreignField: '_id', as: 'owner' } }"),
            BsonDocument.Parse("{ $facet: { owners: [{ $unwind: '$owner' }, { $sort: { 'owner.owner': 1 } }, { $project: { _id: 0, o: "
                + "'$owner.owner' } }], total: [{ $count: 'n' }] } }"),
        }).SingleAsync(Cancellation);
        ((BsonValue)joined).ShouldBe(BsonDocument.Parse("{ owners: [{ o: 'Ada' }, { o: 'Bob' }], total: [{ n: 2 }] }"));
    }

    [Fact]
    public async Task Unique_index_refuses_a_second_document_with_code_11000()
    {
        await _items.Indexes.CreateOneAsync(new CreateIndexModel<BsonDocument>("{ email: 1 }", new CreateIndexOptions { Unique = true }),
            cancellationToken: Cancellation);
        await _items.InsertOneAsync(BsonDocument.Parse("{ _id: 1, email: 'a' }"), cancellationToken: Cancellation);
        MongoWriteException refused = await Should.ThrowAsync<MongoWriteException>(() =>
            _items.InsertOneAsync(BsonDocument.Parse("{ _id: 2, email: 'a' }"), cancellationToken: Cancellation));
        refused.WriteError.Code.ShouldBe(11000);
        (await _items.CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(1);
    }

    [Fact]
    public async Task Insert_that_one_of_two_unique_indexes_refuses_leaves_nothing_in_the_other()
    {
        // Once the entry of the first index stayed, and its value could never be used again.
        await _items.Indexes.CreateManyAsync([new CreateIndexModel<BsonDocument>("{ a: 1 }", new() { Unique = true }),
            new CreateIndexModel<BsonDocument>("{ b: 1 }", new() { Unique = true })], cancellationToken: Cancellation);
        await _items.InsertOneAsync(BsonDocument.Parse("{ _id: 1, a: 1, b: 1 }"), cancellationToken: Cancellation);
        await Should.ThrowAsync<MongoWriteException>(() =>
            _items.InsertOneAsync(BsonDocument.Parse("{ _id: 2, a: 2, b: 1 }"), cancellationToken: Cancellation));
        await _items.InsertOneAsync(BsonDocument.Parse("{ _id: 4, a: 2, b: 2 }"), cancellationToken: Cancellation);
        (await _items.CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(2);
    }

    [Fact]
    public async Task Transaction_beyond_its_bound_fails_with_code_257_and_writes_nothing()
    {
        string folder = Path.Combine(_folder, "small");
        await using EmbeddedMongoDB small = await EmbeddedMongoDB.StartAsync(
            new EmbeddedMongoDBOptions { DataDirectory = folder, MaxTransactionBytes = 8 << 20 }, cancellationToken: Cancellation);
        using var client = new MongoClient(small.ConnectionString);
        IMongoCollection<BsonDocument> items = client.GetDatabase("test").GetCollection<BsonDocument>("items");
        await items.InsertOneAsync(new BsonDocument("_id", -1), cancellationToken: Cancellation);
        using IClientSessionHandle session = await client.StartSessionAsync(cancellationToken: Cancellation);
        session.StartTransaction();
        global::MongoDB.Driver.MongoCommandException refused =
            await Should.ThrowAsync<global::MongoDB.Driver.MongoCommandException>(async () =>
            {
                for (int i = 0; i < 10; i++)
                    await items.InsertOneAsync(session, new BsonDocument { { "_id", i }, { "filler", new byte[1 << 20] } },
                        cancellationToken: Cancellation);
            });
        refused.Code.ShouldBe(257);
        (await items.CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(1);
    }

    [Fact]
    public async Task Transaction_reads_its_own_writes_in_order_among_those_that_are_stored()
    {
        await _items.InsertManyAsync(Enumerable.Range(0, 200).Select(i => new BsonDocument { { "_id", i * 2 }, { "n", 0 } }),
            cancellationToken: Cancellation);
        using IClientSessionHandle session = await _client.StartSessionAsync(cancellationToken: Cancellation);
        session.StartTransaction();
        await _items.InsertManyAsync(session, Enumerable.Range(0, 200).Select(i => new BsonDocument { { "_id", (i * 2) + 1 }, { "n", 1 } }),
            cancellationToken: Cancellation);
        await _items.DeleteManyAsync(session, "{ _id: { $gte: 100, $lt: 110 } }", cancellationToken: Cancellation);
        await _items.UpdateManyAsync(session, "{ _id: { $lt: 10 } }", "{ $set: { n: 2 } }", cancellationToken: Cancellation);
        List<BsonDocument> seen = await _items.Find(session, "{ _id: { $gte: 0 } }").ToListAsync(Cancellation);
        seen.Select(d => d["_id"].AsInt32).ShouldBe(Enumerable.Range(0, 400).Where(i => i is < 100 or >= 110));
        seen.Count(d => d["n"] == 2).ShouldBe(10);
        await session.CommitTransactionAsync(Cancellation);
        (await _items.Find("{ _id: { $gte: 0 } }").ToListAsync(Cancellation)).ShouldBe(seen);
    }

    [Fact]
    public async Task Index_is_used_by_queries_that_it_fits()
    {
        await InsertTen();
        await _items.Indexes.CreateOneAsync(new CreateIndexModel<BsonDocument>("{ even: 1, n: -1 }"), cancellationToken: Cancellation);
        BsonDocument plan = await _items.Database.RunCommandAsync<BsonDocument>(
            BsonDocument.Parse("{ explain: { find: 'items', filter: { even: true, n: { $gt: 3 } } } }"), cancellationToken: Cancellation);
        plan.ToJson().ShouldContain("IXSCAN");
        (await _items.Find("{ even: true, n: { $gt: 3 } }").Sort("{ n: 1 }").ToListAsync(Cancellation)).Select(d => d["n"].AsInt32)
            .ShouldBe([4, 6, 8]);
    }

    [Fact]
    public async Task Transaction_is_seen_whole_after_commit_and_not_at_all_after_abort()
    {
        await _items.Database.CreateCollectionAsync("items", cancellationToken: Cancellation);
        using IClientSessionHandle session = await _client.StartSessionAsync(cancellationToken: Cancellation);
        session.StartTransaction();
        await _items.InsertOneAsync(session, new BsonDocument("_id", 1), cancellationToken: Cancellation);
        (await _items.CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(0);
        (await _items.CountDocumentsAsync(session, "{}", cancellationToken: Cancellation)).ShouldBe(1);
        await session.CommitTransactionAsync(Cancellation);
        (await _items.CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(1);
        session.StartTransaction();
        await _items.DeleteOneAsync(session, "{ _id: 1 }", cancellationToken: Cancellation);
        await session.AbortTransactionAsync(Cancellation);
        (await _items.CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(1);
    }

    [Fact]
    public async Task Transaction_reads_as_of_its_start_and_a_changed_document_is_a_write_conflict()
    {
        await _items.InsertOneAsync(BsonDocument.Parse("{ _id: 1, n: 1 }"), cancellationToken: Cancellation);
        using IClientSessionHandle session = await _client.StartSessionAsync(cancellationToken: Cancellation);
        session.StartTransaction();
        (await _items.Find(session, "{ _id: 1 }").SingleAsync(Cancellation))["n"].AsInt32.ShouldBe(1);
        await _items.UpdateOneAsync("{ _id: 1 }", "{ $set: { n: 2 } }", cancellationToken: Cancellation);
        (await _items.Find(session, "{ _id: 1 }").SingleAsync(Cancellation))["n"].AsInt32.ShouldBe(1);
        global::MongoDB.Driver.MongoCommandException conflict = await Should.ThrowAsync<global::MongoDB.Driver.MongoCommandException>(() =>
            _items.UpdateOneAsync(session, "{ _id: 1 }", "{ $inc: { n: 5 } }", cancellationToken: Cancellation));
        conflict.Code.ShouldBe(112);
        conflict.HasErrorLabel("TransientTransactionError").ShouldBeTrue();
        (await _items.Find("{ _id: 1 }").SingleAsync(Cancellation))["n"].AsInt32.ShouldBe(2);
    }

    [Fact]
    public async Task Increments_by_transactions_and_by_single_writes_side_by_side_all_count()
    {
        const int Each = 300;
        await _items.InsertOneAsync(BsonDocument.Parse("{ _id: 1, n: 0 }"), cancellationToken: Cancellation);
        async Task Singly()
        {
            for (int i = 0; i < Each; i++)
                await _items.UpdateOneAsync("{ _id: 1 }", "{ $inc: { n: 1 } }", cancellationToken: Cancellation);
        }

        async Task InTransactions()
        {
            using IClientSessionHandle session = await _client.StartSessionAsync(cancellationToken: Cancellation);
            for (int i = 0; i < Each; i++)
                await session.WithTransactionAsync((s, stop) =>
                    _items.UpdateOneAsync(s, "{ _id: 1 }", "{ $inc: { n: 1 } }", cancellationToken: stop), cancellationToken: Cancellation);
        }

        await Task.WhenAll(Singly(), Singly(), InTransactions(), InTransactions());
        (await _items.Find("{ _id: 1 }").SingleAsync(Cancellation))["n"].AsInt32.ShouldBe(4 * Each);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Unique_value_is_taken_by_one_of_two_transactions(bool firstHasCommitted)
    {
        await _items.Indexes.CreateOneAsync(new CreateIndexModel<BsonDocument>("{ n: 1 }", new CreateIndexOptions { Unique = true }),
            cancellationToken: Cancellation);
        using IClientSessionHandle first = await _client.StartSessionAsync(cancellationToken: Cancellation);
        using IClientSessionHandle second = await _client.StartSessionAsync(cancellationToken: Cancellation);
        first.StartTransaction();
        second.StartTransaction();
        // what it reads is fixed from here on
        (await _items.CountDocumentsAsync(second, "{}", cancellationToken: Cancellation)).ShouldBe(0);
        await _items.InsertOneAsync(first, BsonDocument.Parse("{ _id: 1, n: 5 }"), cancellationToken: Cancellation);
        if (firstHasCommitted)
            await first.CommitTransactionAsync(Cancellation);
        MongoException conflict = await Should.ThrowAsync<MongoException>(() =>
            _items.InsertOneAsync(second, BsonDocument.Parse("{ _id: 2, n: 5 }"), cancellationToken: Cancellation));
        conflict.HasErrorLabel("TransientTransactionError").ShouldBeTrue();
        if (!firstHasCommitted)
            await first.CommitTransactionAsync(Cancellation);
        (await _items.Find("{ n: 5 }").SingleAsync(Cancellation))["_id"].AsInt32.ShouldBe(1);
    }

    [Fact]
    public async Task FindOneAndUpdate_returns_before_or_after()
    {
        await _items.InsertOneAsync(BsonDocument.Parse("{ _id: 1, n: 1 }"), cancellationToken: Cancellation);
        (await _items.FindOneAndUpdateAsync<BsonDocument>("{ _id: 1 }", "{ $inc: { n: 1 } }", cancellationToken: Cancellation))["n"].AsInt32
            .ShouldBe(1);
        (await _items.FindOneAndUpdateAsync<BsonDocument>("{ _id: 1 }", "{ $inc: { n: 1 } }",
            new() { ReturnDocument = ReturnDocument.After }, Cancellation))["n"].AsInt32.ShouldBe(3);
        (await _items.FindOneAndUpdateAsync<BsonDocument>("{ _id: 2 }", "{ $inc: { n: 1 } }",
            new() { ReturnDocument = ReturnDocument.After, IsUpsert = true }, Cancellation)).ShouldBe(
                BsonDocument.Parse("{ _id: 2, n: 1 }"));
    }

    [Fact]
    public async Task Cursor_gives_all_documents_in_batches()
    {
        await _items.InsertManyAsync(Enumerable.Range(0, 1_000).Select(i => new BsonDocument { { "_id", i } }),
            cancellationToken: Cancellation);
        List<BsonDocument> all = await _items.Find("{}", new FindOptions { BatchSize = 7 }).Sort("{ _id: -1 }").Skip(1).Limit(900)
            .ToListAsync(Cancellation);
        all.Select(d => d["_id"].AsInt32).ShouldBe(Enumerable.Range(0, 1_000).Reverse().Skip(1).Take(900));
    }

    [Theory]
    [InlineData("{ frobnicate: 1 }", 59)]
    [InlineData("{ find: 'items', filter: { n: { $frobnicate: 1 } } }", 2)]
    [InlineData("{ aggregate: 'items', pipeline: [{ $frobnicate: {} }], cursor: {} }", 40324)]
    [InlineData("{ update: 'items', updates: [{ q: {}, u: { $frobnicate: { a: 1 } } }] }", 9)]
    public async Task What_is_not_known_is_refused_with_the_code_of_MongoDB(string command, int code)
    {
        await InsertTen();
        BsonDocument answer;
        try
        {
            answer = await _items.Database.RunCommandAsync<BsonDocument>(BsonDocument.Parse(command), cancellationToken: Cancellation);
        }
        catch (global::MongoDB.Driver.MongoCommandException refused)
        {
            refused.Code.ShouldBe(code);
            return;
        }

        answer["writeErrors"][0]["code"].ToInt32().ShouldBe(code);
    }

    [Fact]
    public async Task Restart_keeps_documents_and_indexes()
    {
        await InsertTen();
        await _items.Indexes.CreateOneAsync(new CreateIndexModel<BsonDocument>("{ n: 1 }",
            new CreateIndexOptions { Unique = true, Name = "by-n" }), cancellationToken: Cancellation);
        _client.Dispose();
        await _server.DisposeAsync();
        await Start();
        (await _items.CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(10);
        (await (await _items.Indexes.ListAsync(Cancellation)).ToListAsync(Cancellation)).Select(i => i["name"].AsString).ShouldBe(
            ["_id_", "by-n"]);
        (await Should.ThrowAsync<MongoWriteException>(() =>
            _items.InsertOneAsync(BsonDocument.Parse("{ n: 3 }"), cancellationToken: Cancellation))).WriteError.Code.ShouldBe(11000);
    }

    private async Task Start()
    {
        _server = await EmbeddedMongoDB.StartAsync(new EmbeddedMongoDBOptions { DataDirectory = Path.Combine(_folder, "data") },
            cancellationToken: Cancellation);
        _client = new MongoClient(_server.ConnectionString);
        _items = _client.GetDatabase("test").GetCollection<BsonDocument>("items");
    }

    private Task InsertTen() => _items.InsertManyAsync(Enumerable.Range(0, 10).Select(i =>
    {
        var document = new BsonDocument
        {
            { "_id", i }, { "n", i }, { "even", i % 2 == 0 }, { "name", $"item {i}" }, { "tags", new BsonArray { "all", $"t{i}" } },
            { "nested", new BsonDocument("deep", i) },
        };
        if (i % 2 == 1)
            document.Add("odd", true);
        return document;
    }), cancellationToken: Cancellation);
}
