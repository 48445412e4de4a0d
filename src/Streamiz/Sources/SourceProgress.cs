using System.Collections.Concurrent;

namespace KafkaEventSourcing.Streamiz;

/// <summary>How far the partitions of one source are processed in this process, and who waits for it. Thread-safe.</summary>
internal sealed class SourceProgress
{
    private readonly ConcurrentDictionary<int, PartitionProgress> _partitions = [];

    /// <summary>The next offset of each partition that this process reads.</summary>
    public IEnumerable<KeyValuePair<int, long>> NextOffsets =>
        _partitions.Where(p => p.Value.Next >= 0).Select(p => KeyValuePair.Create(p.Key, p.Value.Next));

    /// <summary>The next offset of a partition; null: this process does not read it.</summary>
    public long? NextOf(int partition) => Of(partition).Next is var next and >= 0 ? next : null;

    /// <summary>All before <paramref name="next"/> is processed.</summary>
    public void Advance(int partition, long next) => Of(partition).Advance(next);

    /// <summary>The partition is not read here any more.</summary>
    public void Forget(int partition) => Of(partition).Forget();

    /// <summary>Completes when the event at <paramref name="offset"/> is processed.</summary>
    public Task WaitAsync(int partition, long offset, CancellationToken cancellationToken) =>
        Of(partition).WaitAsync(offset, cancellationToken);

    private PartitionProgress Of(int partition) => _partitions.GetOrAdd(partition, static _ => new PartitionProgress());

    private sealed class PartitionProgress
    {
        private readonly Lock _lock = new();
        private readonly PriorityQueue<TaskCompletionSource, long> _waiting = new();
        private long _next = -1;
        private int _waits;

        public long Next => Volatile.Read(ref _next);

        public void Advance(long next)
        {
            Volatile.Write(ref _next, next);
            Interlocked.MemoryBarrier(); // whoever begins to wait sees the offset, or is seen here
            if (Volatile.Read(ref _waits) == 0)
                return;
            lock (_lock)
            {
                while (_waiting.TryPeek(out _, out long offset) && offset < next)
                {
                    _waiting.Dequeue().TrySetResult();
                    _waits--;
                }
            }
        }

        public void Forget() => Volatile.Write(ref _next, -1);

        public Task WaitAsync(long offset, CancellationToken cancellationToken)
        {
            var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (_lock)
            {
                _waits++;
                Interlocked.MemoryBarrier();
                if (Next > offset)
                {
                    _waits--;
                    return Task.CompletedTask;
                }

                _waiting.Enqueue(reached, offset);
            }

            return reached.Task.WaitAsync(cancellationToken);
        }
    }
}
