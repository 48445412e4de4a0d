using System.Net;
using Banking.Domain;
using Banking.ReadModels;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Verification;
using KafkaEventSourcing.Projections;
using KafkaEventSourcing.Testing;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>What an account has done and what transfers have done with it, in one document.</summary>
public sealed record Activity
{
    public required string Id { get; init; }

    public long Credits { get; init; }

    public long Debits { get; init; }

    public long Asked { get; init; }
}

/// <summary>
/// A read model of two aggregate types on two nodes, which have partitions of both: documents are written by whoever has an event that
/// names them.
/// </summary>
public sealed class SharedReadModelTests(BankFixture bank) : IAsyncDisposable
{
    private const int Accounts = 4;
    private const int Transfers = 60;

    // The receiver's side of a transfer lies in another document, whose account is on another partition: its key comes from the event.
    private static readonly ProjectionDefinition Activities = ProjectionDefinition.Define<Activity>("activities")
        .Folds<AccountCredited>((activity, _, r) => (activity ?? New(r.AggregateId.Value)) with { Credits = (activity?.Credits ?? 0) + 1 })
        .Folds<AccountDebited>((activity, _, r) => (activity ?? New(r.AggregateId.Value)) with { Debits = (activity?.Debits ?? 0) + 1 })
        .Key<TransferRequested>(requested => requested.Payer)
        .Folds<TransferRequested>((activity, requested, _) =>
            (activity ?? New(requested.Payer)) with { Asked = (activity?.Asked ?? 0) + 1 })
        .Build();

    private readonly BankNodes _nodes = new(bank.Servers, partitions: 3, sessionTimeout: TimeSpan.FromSeconds(10))
    {
        MayEnd = true,
        Application = EventSourcedApplication.Named(TestServers.UniqueName("bank"), "A bank with activities.").With(Account.Definition)
            .With(Transfer.Definition).With(Activities).Build(),
    };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _nodes.DisposeAsync();

    [Fact]
    public async Task Events_of_two_types_on_two_nodes_count_once_in_documents_that_they_share()
    {
        BankNode one = await _nodes.Start("one", isStatic: false, Cancellation);
        BankNode two = await _nodes.Start("two", isStatic: false, Cancellation);
        var credited = new List<ConsistencyToken>();
        for (int i = 0; i < Accounts; i++)
        {
            await one.Node.SendAsync(Movement.Open($"a{i}"), Cancellation);
            credited.Add(((CommandResult.Accepted)await one.Node.SendAsync(Movement.Credit($"a{i}", 10_000), Cancellation)).Token);
        }

        CommandResult[] asked = await Task.WhenAll(Enumerable.Range(0, Transfers).Select(i =>
            (i % 2 == 0 ? one : two).Node.SendAsync(Request($"t{i}", $"a{i % Accounts}", $"a{(i + 1) % Accounts}"), Cancellation)));
        asked.ShouldAllBe(r => r is CommandResult.Accepted);
        await one.Node.WaitForReadModelsAsync(Cancellation);
        await two.Node.WaitForReadModelsAsync(Cancellation);
        (await Documents(one)).Sum(d => d["asked"].ToInt64()).ShouldBe(Transfers);
        await ShouldAnswerTokens(one, ((CommandResult.Accepted)asked[^1]).Token, credited[0]);

        // The transfers have come to their ends when both sides have been booked; the read model follows.
        await Until(one, documents =>
            documents.Sum(d => d["debits"].ToInt64()) == Transfers && documents.Sum(d => d["credits"].ToInt64()) == Transfers + Accounts);
        await _nodes.Stop(two);
        var verifier = new Verifier(one.Node, one.Part);
        await verifier.WaitForAllPartitionsAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Cancellation);
        VerificationReport report = await verifier.RunAsync(Cancellation);
        report.Differences.ShouldBeEmpty();
        report.Documents.ShouldBe(Accounts);

        // One that verifies nothing would find no difference either.
        await one.Node.ReadModels.GetCollection<BsonDocument>("activities").UpdateOneAsync("{ _id: 'a1' }", "{ $inc: { asked: 1 } }",
            cancellationToken: Cancellation);
        (await new Verifier(one.Node, one.Part).RunAsync(Cancellation)).Differences.ShouldHaveSingleItem().ShouldStartWith(
            "activities/a1 differs: asked");
    }

    private static async Task ShouldAnswerTokens(BankNode node, ConsistencyToken token, ConsistencyToken credited)
    {
        using var http = new HttpClient { BaseAddress = node.Address };
        using HttpResponseMessage qualified = await http.GetAsync(
            new Uri($"models/activities/a0?token=transfer:{token},account:{credited}", UriKind.Relative), Cancellation);
        qualified.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await qualified.Content.ReadAsStringAsync(Cancellation)).ShouldNotContain("_v"); // what is there for writers is not shown
        using HttpResponseMessage bare = await http.GetAsync(new Uri($"models/activities/a0?token={token}", UriKind.Relative),
            Cancellation);
        bare.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await bare.Content.ReadAsStringAsync(Cancellation)).ShouldContain("as in account:");
        using HttpResponseMessage other = await http.GetAsync(new Uri($"models/activities/a0?token=customer:{token}", UriKind.Relative),
            Cancellation);
        other.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
    }

    private static Activity New(string id) => new() { Id = id };

    private static CommandEnvelope Request(string id, string payer, string receiver) =>
        new(AggregateId.Parse(id), CommandId.New(TimeProvider.System),
            new RequestTransfer
            {
                Payer = payer,
                Receiver = receiver,
                Amount = 1,
                Currency = "EUR",
                BookedOn = new DateOnly(2026, 3, 1),
                Deadline = null,
            });

    private static Task<List<BsonDocument>> Documents(BankNode node) =>
        node.Node.ReadModels.GetCollection<BsonDocument>("activities").Find("{}").ToListAsync(Cancellation);

    private static async Task Until(BankNode node, Func<List<BsonDocument>, bool> reached)
    {
        while (!reached(await Documents(node)))
            await node.Node.WaitForReadModelsAsync(Cancellation);
    }
}
