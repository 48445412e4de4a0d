using Counting;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class StoreMemoryTests : IDisposable
{
    private const int Stores = 16;
    private const long Budget = 4L << 20;

    private readonly TemporaryFolder _folder = new();
    private readonly List<StateStore> _open = [];

    public void Dispose()
    {
        foreach (StateStore store in _open)
            store.Dispose();
        _folder.Dispose();
    }

    // Each store had a memory table of its own of 32 MiB, twice: a node with many partitions had gigabytes of them.
    [Fact]
    public void Memory_tables_of_all_stores_stay_within_one_budget_whichever_is_written_to()
    {
        var memory = new StoreMemory(Budget, Budget);
        for (int i = 0; i < Stores; i++)
            _open.Add(StateStore.Open(_folder.Child($"store{i}"), Counter.Definition, Counter.State, recentLimit: 4, memory));
        foreach (StateStore quiet in _open)
            Write(quiet, 0, 500_000);
        for (int round = 1; round <= 20; round++)
        {
            Write(_open[0], round, 500_000);
            // What is being written out counts until it is; half of the budget may be.
            memory.WriteBufferUsage.ShouldBeLessThan(Budget * 3);
        }

        foreach (StateStore store in _open)
            store.OffsetOf(AggregateId.Parse("a0"), 1).ShouldBe(0);
        _open[0].OffsetOf(AggregateId.Parse("a5"), 21).ShouldBe(20);
    }

    private static void Write(StateStore store, int round, int bytes)
    {
        for (int i = 0; i * 100 < bytes; i++)
            store.PutIndex(System.Text.Encoding.UTF8.GetBytes($"a{i}"), round + 1, round);
        store.Write(round + 1);
    }
}
