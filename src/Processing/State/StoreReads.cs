namespace KafkaEventSourcing.Processing;

/// <summary>
/// The door by which other threads read a store that its owner will close: <see cref="Close"/> waits for the reads in flight, and those
/// that come later are refused. It waits for the store alone, never for a caller: an enumeration is inside only while it takes its next
/// aggregate. Thread-safe.
/// </summary>
internal sealed class StoreReads(StateStore store, int partition)
{
    private readonly object _gate = new();
    private readonly HashSet<IEnumerator<AggregateView>> _open = [];
    private int _inside;
    private bool _closed;

    /// <summary>The aggregate; null when it has no events.</summary>
    /// <exception cref="AggregateUnavailableException">The store is closed.</exception>
    public AggregateView? Read(AggregateId id)
    {
        Enter();
        try
        {
            return store.Read(id, partition);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>What the store has of a page of an aggregate's events; null when it has none.</summary>
    /// <exception cref="AggregateUnavailableException">The store is closed.</exception>
    public IndexedHistory? ReadEvents(AggregateId id, HistoryQuery query)
    {
        IndexedHistory? read = null;
        Within(() => read = store.Index.Read(id, query));
        return read;
    }

    /// <summary>Does something with the store while it is open.</summary>
    /// <exception cref="AggregateUnavailableException">The store is closed.</exception>
    public void Within(Action action)
    {
        Enter();
        try
        {
            action();
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>All aggregates that have events, as of the first step of the enumeration, in the order of their ids.</summary>
    /// <exception cref="AggregateUnavailableException">The store is closed, or was closed in the middle.</exception>
    public IEnumerable<AggregateView> ReadAll()
    {
        IEnumerator<AggregateView> all = store.ReadAll(partition).GetEnumerator();
        try
        {
            while (Next(all) is { } view)
                yield return view;
        }
        finally
        {
            End(all);
        }
    }

    /// <summary>Ends all reading, then closes the store.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            while (_inside > 0)
                Monitor.Wait(_gate);
            foreach (IEnumerator<AggregateView> unfinished in _open)
                unfinished.Dispose();
            _open.Clear();
        }

        store.Flush();
        store.Dispose();
    }

    private AggregateView? Next(IEnumerator<AggregateView> all)
    {
        Enter(all);
        try
        {
            return all.MoveNext() ? all.Current : null;
        }
        finally
        {
            Leave();
        }
    }

    private void Enter(IEnumerator<AggregateView>? enumeration = null)
    {
        lock (_gate)
        {
            if (_closed)
                throw new AggregateUnavailableException(partition, $"Partition {partition} has just left this node; try again.");
            _inside++;
            if (enumeration is not null)
                _open.Add(enumeration);
        }
    }

    private void Leave()
    {
        lock (_gate)
        {
            _inside--;
            Monitor.PulseAll(_gate);
        }
    }

    private void End(IEnumerator<AggregateView> all)
    {
        lock (_gate)
        {
            if (_open.Remove(all))
                all.Dispose();
        }
    }
}
