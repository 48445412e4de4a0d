namespace KafkaEventSourcing.Projections.Tests;

public sealed class InMemorySharedReadModelTests : SharedReadModelContract
{
    private readonly InMemoryProjectionStore _store = new();

    private protected override IProjectionStore Store => _store;

    protected override Task<string[]> Documents(string readModel) =>
        Task.FromResult(_store.Documents(readModel).Values.Select(d => d.ToString()!).Order(StringComparer.Ordinal).ToArray());

    protected override Task DeleteCheckpoint(string readModel, EventPartition partition)
    {
        _store.Change(readModel, partition, _ => null);
        return Task.CompletedTask;
    }
}
