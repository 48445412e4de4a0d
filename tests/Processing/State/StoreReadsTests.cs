using Counting;

namespace KafkaEventSourcing.Processing.Tests;

public sealed class StoreReadsTests : IDisposable
{
    private const int Aggregates = 300;
    private const int Readers = 4;

    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    // A rebalance closed the store under a read, and the process died in native code.
    [Fact]
    public async Task Store_closed_under_many_readers_ends_them_with_an_answer()
    {
        for (int round = 0; round < 20; round++)
        {
            StateStore store = Filled($"round-{round}");
            var reads = new StoreReads(store, 3);
            var reading = new CountdownEvent(Readers);
            Task[] readers = [.. Enumerable.Range(0, Readers).Select(n =>
                Task.Factory.StartNew(() => ReadUntilClosed(reads, n, reading), Cancellation, TaskCreationOptions.LongRunning,
                    TaskScheduler.Default))];
            reading.Wait(Cancellation);
            reads.Close();
            await Task.WhenAll(readers).WaitAsync(Cancellation);
        }
    }

    [Fact]
    public void Enumeration_that_its_caller_left_lying_does_not_hold_the_store_and_ends_with_it()
    {
        var reads = new StoreReads(Filled("store"), 3);
        using IEnumerator<AggregateView> half = reads.ReadAll().GetEnumerator();
        half.MoveNext().ShouldBeTrue();
        half.MoveNext().ShouldBeTrue();
        reads.Close();
        Should.Throw<AggregateUnavailableException>(() => half.MoveNext()).Partition.ShouldBe(3);
        Should.Throw<AggregateUnavailableException>(() => reads.Read(Id(0)));
        using StateStore again = Counter.Open(_folder.Child("store"));
        again.ReadAll(3).Count().ShouldBe(Aggregates);
    }

    [Fact]
    public void Enumeration_sees_the_store_of_its_first_step_whole()
    {
        StateStore store = Filled("store");
        var reads = new StoreReads(store, 3);
        using IEnumerator<AggregateView> all = reads.ReadAll().GetEnumerator();
        all.MoveNext().ShouldBeTrue();
        store.PutState(new AggregateEntry(AggregateId.Parse("b"), new Count { Total = 0 }) { Version = 1, EventOffset = 1 });
        store.Write(Aggregates + 1);
        int seen = 1;
        while (all.MoveNext())
            seen++;
        seen.ShouldBe(Aggregates);
        reads.ReadAll().Count().ShouldBe(Aggregates + 1);
        reads.Close();
    }

    private static void ReadUntilClosed(StoreReads reads, int number, CountdownEvent reading)
    {
        bool counted = false;
        try
        {
            while (true)
            {
                if (number % 2 == 0)
                    reads.Read(Id(number))!.Version.ShouldBe(1);
                else
                    reads.ReadAll().Count().ShouldBe(Aggregates);
                if (!counted)
                    counted = reading.Signal() || true;
            }
        }
        catch (AggregateUnavailableException)
        {
            // What a reader is told when the partition leaves.
        }
    }

    private StateStore Filled(string name)
    {
        StateStore store = Counter.Open(_folder.Child(name));
        for (int i = 0; i < Aggregates; i++)
            store.PutState(new AggregateEntry(Id(i), new Count { Total = 0 })
            {
                Version = 1, EventOffset = i, State = new Count { Total = i },
            });
        store.Write(Aggregates);
        return store;
    }

    private static AggregateId Id(int number) => AggregateId.Parse($"a{number:D4}");
}
