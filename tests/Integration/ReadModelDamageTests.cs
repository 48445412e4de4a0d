using System.Net;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>What an operator does to the read models' database, or to the events topic, while nodes run.</summary>
public sealed class ReadModelDamageTests(BankFixture bank) : IAsyncDisposable
{
    private const int Partitions = 3;

    private readonly BankNodes _nodes = new(bank.Servers, Partitions, sessionTimeout: TimeSpan.FromSeconds(10)) { MayEnd = true };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _nodes.DisposeAsync();

    // The engine wrote a checkpoint at its place over the emptied collections: 7,604 documents instead of 10,000, for good.
    [Theory]
    [InlineData("documents and checkpoints deleted")]
    [InlineData("checkpoints deleted")]
    [InlineData("one checkpoint deleted")]
    [InlineData("collection dropped")]
    [InlineData("database dropped")]
    public async Task Read_models_that_are_damaged_under_running_nodes_are_the_fold_of_all_events_again(string damage)
    {
        BankNode node = await _nodes.Start("one", isStatic: false, Cancellation);
        await OpenAndCredit(node, accounts: 12);
        await node.Node.WaitForReadModelsAsync(Cancellation);

        IMongoDatabase database = node.Node.ReadModels;
        IMongoCollection<BsonDocument> checkpoints = database.GetCollection<BsonDocument>("checkpoints");
        switch (damage)
        {
            case "documents and checkpoints deleted":
                foreach (string collection in (string[])["accounts", "movements", "statements", "daily_totals", "checkpoints"])
                    await database.GetCollection<BsonDocument>(collection).DeleteManyAsync("{}", Cancellation);
                break;
            case "checkpoints deleted":
                await checkpoints.DeleteManyAsync("{}", Cancellation);
                break;
            case "one checkpoint deleted":
                await checkpoints.DeleteOneAsync("{ _id: 'daily_totals/1' }", Cancellation);
                break;
            case "collection dropped":
                await database.DropCollectionAsync("daily_totals", Cancellation);
                break;
            case "database dropped":
                await database.Client.DropDatabaseAsync(database.DatabaseNamespace.DatabaseName, Cancellation);
                break;
        }

        (await node.Part.Commands.SendAsync(Movement.Credit("acc-1", 7), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        await node.Node.WaitForReadModelsAsync(Cancellation);
        (await database.GetCollection<BsonDocument>("accounts").CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(12);
        VerificationReport report = await new Verifier(node.Node, node.Part).RunAsync(Cancellation);
        report.Differences.ShouldBeEmpty();
        report.IsConsistent.ShouldBeTrue();
    }

    [Fact]
    public async Task Two_nodes_build_a_damaged_read_model_anew_together()
    {
        BankNode one = await _nodes.Start("one", isStatic: false, Cancellation);
        BankNode two = await _nodes.Start("two", isStatic: false, Cancellation);
        await OpenAndCredit(one, accounts: 12);
        await one.Node.WaitForReadModelsAsync(Cancellation);
        await one.Node.ReadModels.Client.DropDatabaseAsync(one.Node.ReadModels.DatabaseNamespace.DatabaseName, Cancellation);
        (await one.Part.Commands.SendAsync(Movement.Credit("acc-1", 7), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        await one.Node.WaitForReadModelsAsync(Cancellation);
        await two.Node.WaitForReadModelsAsync(Cancellation);

        await _nodes.Stop(two);
        var verifier = new Verifier(one.Node, one.Part);
        await verifier.WaitForAllPartitionsAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Cancellation);
        VerificationReport report = await verifier.RunAsync(Cancellation);
        report.Differences.ShouldBeEmpty();
    }

    [Fact]
    public async Task Query_of_a_read_model_that_is_being_built_is_503_and_says_so()
    {
        BankNode node = await _nodes.Start("one", isStatic: false, Cancellation);
        await OpenAndCredit(node, accounts: 1);
        await node.Node.WaitForReadModelsAsync(Cancellation);
        IMongoCollection<BsonDocument> checkpoints = node.Node.ReadModels.GetCollection<BsonDocument>("checkpoints");
        (await node.Http.GetAsync("/models/accounts", Cancellation)).StatusCode.ShouldBe(HttpStatusCode.OK);
        await checkpoints.UpdateOneAsync("{ _id: 'accounts' }", "{ $set: { until: { '0': NumberLong(1000000) } } }",
            cancellationToken: Cancellation);
        foreach (string path in (string[])["/models/accounts", "/models/accounts/acc-0"])
        {
            HttpResponseMessage answer = await node.Http.GetAsync(path, Cancellation);
            answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
            answer.Headers.RetryAfter.ShouldNotBeNull();
            (await answer.Content.ReadAsStringAsync(Cancellation)).ShouldContain(
                "The read model accounts is being built anew from the events");
        }
    }

    [Theory]
    [InlineData("made again", "the events topic was made anew")]
    [InlineData("events deleted", "behind its checkpoint")]
    public async Task Events_topic_that_is_not_the_one_that_was_left_stops_the_read_models_and_leaves_their_documents(
        string what, string why)
    {
        using var desk = new TopicDesk(bank.Servers, BankFixture.NewBank());
        await using (EventSourcedNode node = await desk.Start())
        {
            await desk.Decide(node, [Movement.Open("a")], Movement.Credit("a", 1));
            await node.WaitForReadModelsAsync(Cancellation);
            if (what == "made again")
            {
                await desk.MakeAgain(desk.Topics.Events);
                await ShouldBeStopped(node);
            }
        }

        if (what == "events deleted")
        {
            // The read models have not seen the last events.
            ApplicationDefinition without = EventSourcedApplication.Named(desk.Application.Name, "The same bank without read models.").With(
                Account.Definition).Build();
            using var other = new TopicDesk(bank.Servers, without);
            await using (EventSourcedNode node = await other.Start())
                await other.Decide(node, [Movement.Credit("a", 1)], Movement.Credit("a", 1));
            await desk.DeleteRecords(desk.Topics.Events, await desk.EndOf(desk.Topics.Events) - 1);
        }

        await using EventSourcedNode again = await desk.Start();
        await ShouldBeStopped(again);

        async Task ShouldBeStopped(EventSourcedNode node)
        {
            AggregateNode part = node.Aggregates[0];
            (await part.Projections!.Stops.Any.WaitAsync(Cancellation)).ShouldContain(why);
            part.StoppedReadModels.ShouldNotBeEmpty();
            (await Should.ThrowAsync<ReadModelsStoppedException>(() =>
                part.WaitForReadModelsAsync(Cancellation))).Message.ShouldContain(why);
            (await node.ReadModels.GetCollection<BsonDocument>("movements")
                .CountDocumentsAsync("{}", cancellationToken: Cancellation)).ShouldBe(1);
        }
    }

    private static async Task OpenAndCredit(BankNode node, int accounts)
    {
        for (int i = 0; i < accounts; i++)
        {
            (await node.Part.Commands.SendAsync(Movement.Open($"acc-{i}"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
            (await node.Part.Commands.SendAsync(Movement.Credit($"acc-{i}", 10 + i),
                Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        }
    }
}
