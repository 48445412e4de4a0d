using Counting;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class AggregateCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly StateStore _store;

    public AggregateCacheTests() => _store = Counter.Open(_folder.Child("store"));

    public void Dispose()
    {
        _store.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Get_of_a_new_aggregate_has_the_initial_state_and_is_remembered()
    {
        var cache = new AggregateCache(_store, Counter.Definition, 1_000_000);
        AggregateEntry entry = cache.Get(AggregateId.Parse("a"));
        (entry.Version, entry.EventOffset, entry.State).ShouldBe((0, -1, new Count { Total = 0 }));
        cache.Get(AggregateId.Parse("a")).ShouldBeSameAs(entry);
    }

    [Fact]
    public void Trim_forgets_beyond_the_limit_and_Get_finds_the_stored_again()
    {
        AggregateEntry first = Stored("a", new AggregateCache(_store, Counter.Definition, 1_000_000));
        var cache = new AggregateCache(_store, Counter.Definition, first.Bytes * 4);
        first = cache.Get(AggregateId.Parse("a"));
        cache.Trim();
        cache.Get(AggregateId.Parse("a")).ShouldBeSameAs(first);
        foreach (string other in (string[])["b", "c", "d", "e", "f"])
        {
            Stored(other, cache);
            cache.Trim();
        }

        AggregateEntry again = cache.Get(AggregateId.Parse("a"));
        again.ShouldNotBeSameAs(first);
        (again.Version, again.EventOffset, again.State).ShouldBe((1, 4, new Count { Total = 9 }));
    }

    [Fact]
    public void What_is_asked_for_again_outlives_what_is_not()
    {
        long size = Stored("hot", new AggregateCache(_store, Counter.Definition, 1_000_000)).Bytes;
        var cache = new AggregateCache(_store, Counter.Definition, size * 8);
        AggregateEntry hot = cache.Get(AggregateId.Parse("hot"));
        for (int i = 0; i < 100; i++)
        {
            Stored($"c{i}", cache);
            cache.Get(AggregateId.Parse("hot")).ShouldBeSameAs(hot);
            cache.Trim();
        }
    }

    // The cache was bounded by its number of aggregates, 20,000 a partition: a few hundred states of a megabyte took all memory.
    [Theory]
    [InlineData(10)]
    [InlineData(1_000_000)]
    public void Memory_is_bounded_by_bytes_whatever_the_size_of_a_state(int stateBytes)
    {
        const int limit = 4_000_000;
        var cache = new AggregateCache(_store, Counter.Definition, limit);
        long largest = 0;
        long smallest = long.MaxValue;
        for (int i = 0; i < 20_000; i++)
        {
            AggregateEntry entry = cache.Get(AggregateId.Parse($"a{i}"));
            (entry.StateBytes, entry.IsStored) = (stateBytes, true);
            smallest = Math.Min(smallest, entry.Bytes);
            largest = Math.Max(largest, entry.Bytes);
            cache.Trim();
            (cache.Count * smallest).ShouldBeLessThanOrEqualTo(limit + (2 * largest));
        }

        cache.Count.ShouldBeGreaterThan(0);
    }

    private AggregateEntry Stored(string id, AggregateCache cache)
    {
        AggregateEntry entry = cache.Get(AggregateId.Parse(id));
        (entry.Version, entry.EventOffset, entry.State) = (1, 4, new Count { Total = 9 });
        _store.PutState(entry);
        _store.Write(5);
        return entry;
    }
}
