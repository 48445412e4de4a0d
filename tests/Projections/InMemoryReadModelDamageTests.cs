namespace KafkaEventSourcing.Projections.Tests;

public sealed class InMemoryReadModelDamageTests : ReadModelDamageContract
{
    private readonly InMemoryProjectionStore _store = new();
    private ReadModelCheckpoint _saved;

    private protected override IProjectionStore Store => _store;

    protected override Task Save(string readModel, int partition)
    {
        _store.Change(readModel, partition, stored => _saved = stored);
        return Task.CompletedTask;
    }

    protected override Task Do(Damage damage, string readModel)
    {
        switch (damage)
        {
            case Damage.CheckpointGone:
                _store.Change(readModel, 0, _ => null);
                break;
            case Damage.CheckpointSetBack:
                _store.Change(readModel, 0, stored => stored with { NextOffset = 3, IsGenuine = false });
                break;
            case Damage.CheckpointSetAhead:
                _store.Change(readModel, 0, stored => stored with { NextOffset = stored.NextOffset + 1, IsGenuine = false });
                break;
            case Damage.CheckpointRestored when readModel == "totals":
                _store.Change(readModel, 0, _ => _saved);
                break;
            case Damage.AllCheckpointsGone:
                _store.DropCheckpoints();
                break;
            case Damage.DocumentsDropped or Damage.DocumentsReplaced:
                _store.DropDocuments(readModel);
                break;
            case Damage.EverythingDropped:
                _store.DropDocuments(readModel);
                _store.DropCheckpoints();
                break;
        }

        return Task.CompletedTask;
    }

    protected override Task<string[]> Documents(string readModel) =>
        Task.FromResult(_store.Documents(readModel).Values.Select(d => d.ToString()!).Order(StringComparer.Ordinal).ToArray());
}
