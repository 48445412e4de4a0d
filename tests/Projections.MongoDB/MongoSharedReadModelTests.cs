using KafkaEventSourcing.Projections.Tests;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using MongoDB.Bson;
using MongoDB.Driver;

namespace KafkaEventSourcing.Projections.MongoDB.Tests;

public sealed class MongoSharedReadModelTests : SharedReadModelContract, IAsyncLifetime
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
                Database = TestServers.UniqueName("several"),
                RetryDelay = TimeSpan.FromMilliseconds(5),
            },
            TimeProvider.System, NullLogger<MongoProjectionStore>.Instance);
        await _store.PrepareAsync([Totals], Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _store.Dispose();
        await _servers.DisposeAsync();
    }

    protected override async Task<string[]> Documents(string readModel) =>
    [
        .. (await _store.Database.GetCollection<BsonDocument>(readModel).Find("{}").ToListAsync(Cancellation))
            .Select(d => new Total(d["_id"].AsString, d["sum"].ToInt64(), d["events"].ToInt32()).ToString()).Order(StringComparer.Ordinal),
    ];

    protected override Task DeleteCheckpoint(string readModel, EventPartition partition) =>
        _store.Database.GetCollection<BsonDocument>("checkpoints").DeleteOneAsync(new BsonDocument("_id", $"{readModel}/{partition}"),
            Cancellation);
}
