using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>
/// A query that takes too long. It was answered "MongoDB does not answer", and went on in MongoDB after the caller had left.
/// </summary>
public sealed class SlowQueryTests(BankFixture bank)
{
    private const int Numbers = 300_000; // a document that takes tens of milliseconds to read

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/models/accounts")]
    [InlineData("/models/accounts?limit=1")]
    public async Task Query_that_takes_longer_than_it_may_is_504_and_has_ended_in_MongoDB(string path)
    {
        await using EventSourcedNode node = await bank.Servers.StartNodeAsync(BankFixture.NewBank(), null, Cancellation);
        await node.WaitForReadModelsAsync(Cancellation);
        var numbers = new BsonArray(Enumerable.Range(0, Numbers));
        IMongoCollection<BsonDocument> accounts = node.ReadModels.GetCollection<BsonDocument>("accounts");
        for (int i = 0; i < 3; i++)
            await accounts.InsertOneAsync(new BsonDocument
            {
                { "_id", i.ToString(System.Globalization.CultureInfo.InvariantCulture) },
                { "numbers", numbers },
            }, cancellationToken: Cancellation);

        await using (WebApplication hasty = await Serve(node, new HttpOptions { Port = 0, TokenTimeout = TimeSpan.FromMilliseconds(1) }))
        {
            using HttpResponseMessage answer = await Get(hasty, path);
            answer.StatusCode.ShouldBe(HttpStatusCode.GatewayTimeout);
            JsonNode problem = (await answer.Content.ReadFromJsonAsync<JsonNode>(Cancellation))!;
            problem["code"]!.GetValue<string>().ShouldBe("query-too-slow");
            problem["detail"]!.GetValue<string>().ShouldStartWith("The query of accounts took longer than");
            BsonDocument running = await accounts.Database.Client.GetDatabase("admin").RunCommandAsync<BsonDocument>(
                new BsonDocument("currentOp", 1), cancellationToken: Cancellation);
            running["inprog"].AsBsonArray.Where(o => o["ns"] == accounts.CollectionNamespace.FullName).ShouldBeEmpty();
        }

        await using WebApplication patient = await Serve(node, new HttpOptions { Port = 0, TokenTimeout = TimeSpan.FromMinutes(1) });
        using HttpResponseMessage whole = await Get(patient, path);
        whole.StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    // The interface's own time-out, which is for a MongoDB that does not answer at all, never comes.
    private static async Task<WebApplication> Serve(EventSourcedNode node, HttpOptions options)
    {
        WebApplication web = HttpInterface.Create(node, options, NullLoggerFactory.Instance, new StoppedClock());
        await web.StartAsync(Cancellation);
        return web;
    }

    private static async Task<HttpResponseMessage> Get(WebApplication web, string path)
    {
        using var client = new HttpClient { BaseAddress = new Uri(web.Urls.First()) };
        return await client.GetAsync(path, Cancellation);
    }

    private sealed class StoppedClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
