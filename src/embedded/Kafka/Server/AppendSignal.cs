namespace KafkaEventSourcing.Embedded.Kafka.Server;

/// <summary>Wakes those who wait for new records of a partition. Thread-safe.</summary>
internal sealed class AppendSignal
{
    private readonly Lock _lock = new();
    private readonly List<TaskCompletionSource> _waiters = [];
    private long _version;

    /// <summary>Changes with every append.</summary>
    public long Version => Interlocked.Read(ref _version);

    /// <summary>
    /// Has <paramref name="waiter"/> completed at the next append; false when there was one since <paramref name="seenVersion"/>.
    /// </summary>
    public bool Register(TaskCompletionSource waiter, long seenVersion)
    {
        lock (_lock)
        {
            if (_version != seenVersion)
                return false;
            _waiters.Add(waiter);
            return true;
        }
    }

    public void Unregister(TaskCompletionSource waiter)
    {
        lock (_lock)
            _waiters.Remove(waiter);
    }

    public void Raise()
    {
        TaskCompletionSource[] waiters;
        lock (_lock)
        {
            _version++;
            if (_waiters.Count == 0)
                return;
            waiters = [.. _waiters];
            _waiters.Clear();
        }

        foreach (TaskCompletionSource waiter in waiters)
            waiter.TrySetResult();
    }
}
