using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using KafkaEventSourcing.Chaos.Cluster;
using KafkaEventSourcing.Testing;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.EndToEnd.Tests;

/// <summary>
/// The embedded MongoDB on a disk that is full, which a limit on the size of files is for its log: it is larger than all files of Kafka.
/// Its readiness said that all was well; a commit that could not be written kept its documents for a minute, in which nothing was logged,
/// as it looked like two nodes that write the same.
/// </summary>
public sealed partial class FullMongoDBTests : IDisposable
{
    private const int OutOfDiskSpace = 14031;
    private const int LimitBytes = 2 << 20;
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly string _folder = Directory.CreateTempSubdirectory("kes-full-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task MongoDB_that_cannot_write_refuses_and_says_so_and_the_node_goes_on_without_it()
    {
        Assert.SkipUnless(FileSizeLimit.IsSupported, "Only Linux limits the files of a running process.");
        IReadOnlyList<string> command = FileSizeLimit.Ignoring(["dotnet", Programs.Kes, "up", "--kafka-port", "0", "--registry-port", "0",
            "--mongodb-port", "0", "--data", Path.Combine(_folder, "servers")]);
        await using ProgramRun servers = ProgramRun.Start(command[0], command.Skip(1));
        string kafka = (await servers.WaitForLineAsync(KafkaLine(), Cancellation)).Groups[1].Value;
        string registry = (await servers.WaitForLineAsync(RegistryLine(), Cancellation)).Groups[1].Value;
        string mongo = (await servers.WaitForLineAsync(MongoLine(), Cancellation)).Groups[1].Value;
        await using ProgramRun node = ProgramRun.Start("dotnet",
            [Programs.Bank, "run", "--http-port", "0", "--drain", "0", "--data", Path.Combine(_folder, "node"), "--kafka", kafka,
                "--registry", registry, "--mongodb", mongo]);
        using var http = new HttpClient { BaseAddress = new Uri((await node.WaitForLineAsync(ServesAt(), Cancellation)).Groups[1].Value) };
        (await Open(http, "before")).StatusCode.ShouldBe(HttpStatusCode.OK);

        using var client = new MongoClient(mongo);
        IMongoCollection<BsonDocument> items = client.GetDatabase("other").GetCollection<BsonDocument>("items");
        await items.InsertManyAsync(Enumerable.Range(0, 64).Select(i =>
            new BsonDocument { { "_id", i }, { "x", new byte[LimitBytes / 32] } }), cancellationToken: Cancellation);
        using IClientSessionHandle session = await client.StartSessionAsync(cancellationToken: Cancellation);
        session.StartTransaction();
        await items.UpdateOneAsync(session, "{ _id: 1 }", "{ $set: { y: 1 } }", cancellationToken: Cancellation);
        FileSizeLimit.Set(servers.Id, LimitBytes);

        (await Should.ThrowAsync<MongoCommandException>(() => session.CommitTransactionAsync(Cancellation))).Code.ShouldBe(OutOfDiskSpace);
        // The transaction is over: what it has changed is nobody's, and another writer learns of the disk, not of a conflict.
        (await Should.ThrowAsync<MongoCommandException>(() =>
            items.FindOneAndUpdateAsync<BsonDocument>("{ _id: 1 }", "{ $set: { y: 2 } }", cancellationToken: Cancellation))).Code.ShouldBe(
                OutOfDiskSpace);
        (await items.Find("{ _id: 1 }").SingleAsync(Cancellation)).Contains("y").ShouldBeFalse();
        await servers.WaitForLineAsync(Refuses(), Cancellation);

        (await Open(http, "after")).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await http.GetAsync("/account/after", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        JsonNode report;
        using var timer = new PeriodicTimer(Look, TimeProvider.System);
        do
        {
            await timer.WaitForNextTickAsync(Cancellation);
            report = (await http.GetFromJsonAsync<JsonNode>("/health/ready", Cancellation))!; // 200: commands and reads are decided
        }
        while (report["status"]!.GetValue<string>() != "degraded");
        report["checks"]!["mongodb"]!["reason"]!.GetValue<string>().ShouldContain("does not take what read models write");
        Refuses().Count(servers.Output).ShouldBe(1, "it is told once, not at each attempt");
        (await node.TerminateAsync(Cancellation)).ShouldBe(0, node.Output);
        FileSizeLimit.Lift(servers.Id);
    }

    private static Task<HttpResponseMessage> Open(HttpClient http, string id) =>
        http.PostAsJsonAsync($"/account/{id}/open-account",
            new { owner = "Ada", currency = "EUR", overdraftLimit = 0, openedOn = "2026-01-31" }, Cancellation);

    [GeneratedRegex(@"Kafka\s+(\S+:\d+)")]
    private static partial Regex KafkaLine();

    [GeneratedRegex(@"Schema Registry\s+(http://\S+)")]
    private static partial Regex RegistryLine();

    [GeneratedRegex(@"MongoDB\s+(mongodb://\S+)")]
    private static partial Regex MongoLine();

    [GeneratedRegex("MongoDB cannot write, and refuses what writes until it can")]
    private static partial Regex Refuses();

    [GeneratedRegex(@"serves at (http://\S+)")]
    private static partial Regex ServesAt();
}
