using KafkaEventSourcing.Projections.Tests;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB.Tests;

public sealed class MongoSharedDocumentTests : SharedDocumentContract, IAsyncLifetime
{
    private TestServers _servers = null!;
    private MongoProjectionStore _store = null!;

    private protected override IProjectionStore Store => _store;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);
        _store = new MongoProjectionStore(
            new MongoProjectionOptions
            {
                ConnectionString = _servers.Addresses.MongoDB!,
                Database = TestServers.UniqueName("shared"),
                RetryDelay = TimeSpan.FromMilliseconds(5),
            },
            TimeProvider.System, NullLogger<MongoProjectionStore>.Instance);
        await _store.PrepareAsync([Wallets], Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _store.Dispose();
        await _servers.DisposeAsync();
    }

    // As every document of an earlier release is.
    [Fact]
    public async Task Document_without_a_version_is_folded_on_and_gets_one()
    {
        IMongoCollection<BsonDocument> wallets = _store.Database.GetCollection<BsonDocument>("wallets");
        await using ProjectionEngine engine = Start();
        await engine.InspectAsync(Cancellation);
        await wallets.InsertOneAsync(BsonDocument.Parse("{ _id: 'k0', balance: 4, events: 2 }"), cancellationToken: Cancellation);
        await engine.ProjectAsync(0, 0, [Tally.Event(0, 0, "s", 1, new Sent("s", "k0", 3))], 1, Cancellation);
        (await Documents()).ShouldBe(["k0:7:3"]);
        (await wallets.Find("{ _id: 'k0' }").SingleAsync(Cancellation))[DocumentVersion.Field].ShouldBeOfType<BsonInt64>();
    }

    private protected override async Task<string[]> Documents() =>
        [.. (await _store.Database.GetCollection<BsonDocument>("wallets").Find("{}").Sort("{ _id: 1 }").ToListAsync(Cancellation)).Select(
            d => $"{d["_id"]}:{d["balance"]}:{d["events"]}")];
}
