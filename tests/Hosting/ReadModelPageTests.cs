using System.Text.Json.Nodes;
using KafkaEventSourcing.Embedded.MongoDB;
using KafkaEventSourcing.Hosting.Http;
using KafkaEventSourcing.Projections.MongoDB;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Driver;

namespace KafkaEventSourcing.Hosting.Tests;

/// <summary>
/// Pages of read models: which filters there are, that pages together are everything once and in order, and how large one gets.
/// </summary>
public sealed class ReadModelPageTests : IAsyncLifetime
{
    private static readonly MongoIndex[] Indexes =
    [
        new("items", "account", "day"), new("items", "account", "-rank", "day"), new("items", "tags"),
        new("items", "code") { Unique = true },
    ];

    private static readonly DocumentShape Shape = new(BsonDocument.Parse(
        "{ _id: 'x', account: 'a', day: { $date: '2026-01-31T00:00:00Z' }, rank: 1, tags: ['t'], code: 'c', text: 'y' }"));

    private EmbeddedMongoDB _server = null!;
    private MongoClient _client = null!;
    private IMongoDatabase _database = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await EmbeddedMongoDB.StartAsync(new EmbeddedMongoDBOptions(), cancellationToken: Cancellation);
        _client = new MongoClient(_server.ConnectionString);
        _database = _client.GetDatabase("test");
        foreach (MongoIndex index in Indexes)
        {
            await _database.GetCollection<BsonDocument>("items").Indexes.CreateOneAsync(
                new CreateIndexModel<BsonDocument>(
                    new BsonDocument(index.Keys.Select(k => new BsonElement(k.Field, k.IsDescending ? -1 : 1))),
                    new CreateIndexOptions { Unique = index.Unique }), cancellationToken: Cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public void Filters_are_the_prefixes_of_the_indexes()
    {
        var filters = new ServedFilters(Indexes, Shape);
        filters.Fields.ShouldBe(["account", "code", "day", "rank", "tags"]);
        filters.Possible.ShouldBe("account; account and day; account and rank; account and rank and day; tags; code");
        filters.OrderOf([]).ShouldBe([new MongoIndexKey("_id", false)]);
        filters.OrderOf(["account"]).ShouldBe([new MongoIndexKey("day", false), new MongoIndexKey("_id", false)]);
        filters.OrderOf(["rank", "account"]).ShouldBe([new MongoIndexKey("day", false), new MongoIndexKey("_id", false)]);
        filters.OrderOf(["tags"]).ShouldBe([new MongoIndexKey("_id", false)]);
        filters.OrderOf(["code"]).ShouldBe([new MongoIndexKey("_id", false)]);
    }

    [Fact]
    public void Index_whose_later_field_is_an_array_serves_it_only_together_with_the_others()
    {
        var filters = new ServedFilters([new MongoIndex("items", "account", "tags")], Shape);
        filters.Possible.ShouldBe("account and tags");
    }

    // Any field of an index was a filter: those that do not begin one read the whole collection.
    [Theory]
    [InlineData("?day=2026-01-31")]
    [InlineData("?account=a&tags=t")]
    [InlineData("?rank=1&day=2026-01-31")]
    public void Filters_that_no_index_has_together_are_refused_with_what_is_possible(string query) =>
        Should.Throw<InvalidInputException>(() => Query(query)).Message.ShouldContain(
            "possible are account; account and day; account and rank; account and rank and day; tags; code");

    [Theory]
    [InlineData("?account=a&after=nonsense")]
    [InlineData("?account=a&after=")]
    [InlineData("?account=a&after=DAAAAAR2AAUAAAAAAA")]
    public void Place_that_no_page_gave_is_refused(string query) =>
        Should.Throw<InvalidInputException>(() => Query(query)).Field.ShouldBe("after");

    [Theory]
    [InlineData("?")]
    [InlineData("?account=a")]
    [InlineData("?account=b&day=1970-01-02")]
    [InlineData("?account=a&rank=2")]
    [InlineData("?account=a&rank=2&day=1970-01-03")]
    [InlineData("?tags=t1")]
    [InlineData("?code=c7")]
    public async Task Pages_together_are_all_documents_once_and_in_order(string query)
    {
        await Fill(300);
        PageQuery whole = Query(query);
        List<BsonDocument> expected = await _database.GetCollection<BsonDocument>("items").Find(whole.Filter).Sort(whole.Sort).ToListAsync(
            Cancellation);
        expected.ShouldNotBeEmpty();
        foreach (int limit in (int[])[1, 7, 1_000])
        {
            var ids = new List<string>();
            string? after = null;
            do
            {
                JsonObject page = await Page(QueryHelpers.AddQueryString($"{query}&limit={limit}",
                    after is null ? [] : new Dictionary<string, string?> { ["after"] = after }));
                ids.AddRange(page["documents"]!.AsArray().Select(d => d!["_id"]!.GetValue<string>()));
                after = page["next"]?.GetValue<string>();
            }
            while (after is not null);
            ids.ShouldBe(expected.Select(d => d["_id"].AsString), $"limit {limit}");
        }
    }

    [Fact]
    public async Task Pages_of_an_order_that_descends_are_complete_where_values_are_missing()
    {
        await Fill(300);
        var filters = new ServedFilters([new MongoIndex("items", "account", "-rank", "day")], Shape);
        var ids = new List<string>();
        string? after = null;
        PageQuery whole = PageQuery.Of(Collection("?account=a"), filters, Shape);
        do
        {
            PageQuery query = PageQuery.Of(Collection(QueryHelpers.AddQueryString("?account=a&limit=5",
                after is null ? [] : new Dictionary<string, string?> { ["after"] = after })), filters, Shape);
            List<BsonDocument> page = await _database.GetCollection<BsonDocument>("items").Find(query.Filter).Sort(query.Sort).Limit(5)
                .ToListAsync(Cancellation);
            ids.AddRange(page.Select(d => d["_id"].AsString));
            after = page.Count < 5 ? null : query.NextOf(page[^1]);
        }
        while (after is not null);
        ids.ShouldBe((await _database.GetCollection<BsonDocument>("items").Find(whole.Filter).Sort(whole.Sort)
            .ToListAsync(Cancellation)).Select(d => d["_id"].AsString));
    }

    private static IQueryCollection Collection(string query) => new QueryCollection(QueryHelpers.ParseQuery(query));

    private static PageQuery Query(string query) => PageQuery.Of(Collection(query), new ServedFilters(Indexes, Shape), Shape);

    private async Task<JsonObject> Page(string query)
    {
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { Response = { Body = body } };
        await ReadModelPage.Write(
            context.Response, _database.GetCollection<RawBsonDocument>("items"), Query(query), TimeSpan.FromSeconds(30),
            new JsonWriterSettings { OutputMode = JsonOutputMode.RelaxedExtendedJson }, Cancellation);
        context.Response.ContentType.ShouldBe("application/json; charset=utf-8");
        return JsonNode.Parse(body.ToArray())!.AsObject();
    }

    private Task Fill(int count)
    {
        var random = new Random(count);
        return _database.GetCollection<BsonDocument>("items").InsertManyAsync(
            Enumerable.Range(0, count).Select(i => new BsonDocument
            {
                { "_id", $"id{i:D3}" },
                { "account", random.Next(2) == 0 ? "a" : "b" },
                { "day", random.Next(5) == 0 ? BsonNull.Value : new BsonDateTime(DateTime.UnixEpoch.AddDays(random.Next(4))) },
                { "rank", random.Next(4) == 0 ? BsonNull.Value : random.Next(4) },
                { "tags", new BsonArray { $"t{random.Next(3)}", "all" } },
                { "code", $"c{i}" },
            }),
            cancellationToken: Cancellation);
    }
}
