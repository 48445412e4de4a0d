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
        var cache = new AggregateCache(_store, Counter.Definition, 10);
        AggregateEntry entry = cache.Get(AggregateId.Parse("a"));
        (entry.Version, entry.EventOffset, entry.State).ShouldBe((0, -1, new Count { Total = 0 }));
        cache.Get(AggregateId.Parse("a")).ShouldBeSameAs(entry);
    }

    [Fact]
    public void Trim_forgets_beyond_the_limit_and_Get_finds_the_stored_again()
    {
        var cache = new AggregateCache(_store, Counter.Definition, 2);
        AggregateEntry first = cache.Get(AggregateId.Parse("a"));
        (first.Version, first.EventOffset, first.State) = (1, 4, new Count { Total = 9 });
        _store.PutState(first);
        _store.Write(5);
        cache.Get(AggregateId.Parse("b"));
        cache.Trim();
        cache.Get(AggregateId.Parse("a")).ShouldBeSameAs(first);
        cache.Get(AggregateId.Parse("c"));
        cache.Trim();
        AggregateEntry again = cache.Get(AggregateId.Parse("a"));
        again.ShouldNotBeSameAs(first);
        (again.Version, again.EventOffset, again.State).ShouldBe((1, 4, new Count { Total = 9 }));
    }
}
