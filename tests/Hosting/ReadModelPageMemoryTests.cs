using System.Text.Json.Nodes;
using KafkaEventSourcing.Embedded.MongoDB;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Http;
using MongoDB.Bson;
using MongoDB.Bson.IO;
using MongoDB.Driver;

namespace KafkaEventSourcing.Hosting.Tests;

/// <summary>What a page of a read model takes of the memory of the whole process, in which nothing else may run meanwhile.</summary>
[Collection(nameof(MeasuresTheProcess))]
public sealed class ReadModelPageMemoryTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // Ten pages of a read model with large documents took 8.6 GB.
    [Fact]
    public async Task Page_of_large_documents_ends_at_4_MiB_and_takes_memory_for_one_batch()
    {
        await using EmbeddedMongoDB server = await EmbeddedMongoDB.StartAsync(new EmbeddedMongoDBOptions(),
            cancellationToken: Cancellation);
        using var client = new MongoClient(server.ConnectionString);
        IMongoDatabase database = client.GetDatabase("test");
        IMongoCollection<BsonDocument> items = database.GetCollection<BsonDocument>("items");
        string text = new('x', 1024 * 1024);
        for (int i = 0; i < 200; i++)
            await items.InsertOneAsync(new BsonDocument { { "_id", $"{i:D3}" }, { "text", text } }, cancellationToken: Cancellation);
        await Page(database, limit: 1); // what is made once

        long before = GC.GetTotalAllocatedBytes(precise: true);
        JsonObject page = await Page(database, limit: 1_000);
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        page["documents"]!.AsArray().Count.ShouldBe(3);
        page["next"]!.GetValue<string>().ShouldBe("002");
        // the server in this process, the driver and this test's own copies of one batch of 16 MB; all 200 took 1.6 GB
        allocated.ShouldBeLessThan(300L * 1024 * 1024);
    }

    private static async Task<JsonObject> Page(IMongoDatabase database, int limit)
    {
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { Response = { Body = body } };
        var query = new PageQuery([], [new Projections.MongoDB.MongoIndexKey("_id", false)], limit);
        var json = new JsonWriterSettings { OutputMode = JsonOutputMode.RelaxedExtendedJson };
        await ReadModelPage.Write(context.Response, database.GetCollection<RawBsonDocument>("items"), query, TimeSpan.FromSeconds(30), json,
            Cancellation);
        return JsonNode.Parse(body.ToArray())!.AsObject();
    }
}

/// <summary>Tests that measure the whole process: they run when all others have ended.</summary>
[CollectionDefinition(nameof(MeasuresTheProcess), DisableParallelization = true)]
public sealed class MeasuresTheProcess;
