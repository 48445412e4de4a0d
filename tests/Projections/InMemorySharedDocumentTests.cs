namespace KafkaEventSourcing.Projections.Tests;

public sealed class InMemorySharedDocumentTests : SharedDocumentContract
{
    private readonly InMemoryProjectionStore _store = new();

    private protected override IProjectionStore Store => _store;

    private protected override Task<string[]> Documents() =>
        Task.FromResult(_store.Documents("wallets").Values.Cast<Wallet>().OrderBy(p => p.Id, StringComparer.Ordinal).Select(p =>
            $"{p.Id}:{p.Balance}:{p.Events}").ToArray());
}
