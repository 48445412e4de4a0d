using System.Collections.Concurrent;
using Confluent.Kafka;
using Streamiz.Kafka.Net.Processors;
using Streamiz.Kafka.Net.State;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Which partitions this process has, which of its stores are restored, and the stores themselves for queries. A store is asked only
/// between the end of its restore and its closing: Streamiz answers before the one, and RocksDB must not be asked after the other.
/// Thread-safe.
/// </summary>
internal sealed class StreamAssignment(IReadOnlyDictionary<string, SourceProgress> progress)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<IConsumer<byte[], byte[]>, IReadOnlyList<TopicPartition>> _assigned = [];
    private readonly Dictionary<(string Store, int Partition), OpenStore> _stores = [];
    private readonly ConcurrentDictionary<(string Store, int Partition), long> _remaining = [];
    private long _revocations;
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _ended;

    /// <summary>How many offsets are left to restore, by store and partition.</summary>
    public IEnumerable<(string Store, int Partition, long Remaining)> Restores =>
        _remaining.Select(r => (r.Key.Store, r.Key.Partition, r.Value));

    /// <summary>Whether it has an assignment, which may be of no partition, and all of its stores are restored.</summary>
    public bool IsRestored
    {
        get
        {
            lock (_lock)
                return _assigned.Count > 0 && _stores.Values.All(s => s.IsRestored) && _remaining.IsEmpty;
        }
    }

    /// <summary>
    /// Another number when partitions were taken away: what had been processed before may be processed again.
    /// </summary>
    public long Revocations => Interlocked.Read(ref _revocations);

    /// <summary>The partitions of a store that are here.</summary>
    public IReadOnlyList<int> PartitionsOf(string store)
    {
        lock (_lock)
            return [.. _stores.Keys.Where(k => k.Store == store).Select(k => k.Partition).Order()];
    }

    /// <summary>The next offset of a partition that this process reads; null: of this topic it is not known.</summary>
    public long? NextOf(string topic, int partition) => progress.GetValueOrDefault(topic)?.NextOf(partition);

    /// <summary>All before <paramref name="next"/> is processed.</summary>
    public void Processed(string topic, int partition, long next) => progress.GetValueOrDefault(topic)?.Advance(partition, next);

    /// <summary>A consumer has got its partitions, and begins at <paramref name="starts"/>.</summary>
    public void Assigned(IConsumer<byte[], byte[]> consumer, IReadOnlyList<TopicPartitionOffset> starts)
    {
        foreach (TopicPartitionOffset start in starts)
        {
            if (progress.TryGetValue(start.Topic, out SourceProgress? source))
                source.Advance(start.Partition.Value, Math.Max(0, start.Offset.Value)); // the beginning is a negative number
        }

        Change(() => _assigned[consumer] = [.. starts.Select(s => s.TopicPartition)]);
    }

    /// <summary>A consumer has lost its partitions, and will get others.</summary>
    public void Revoked(IConsumer<byte[], byte[]> consumer) => Change(() =>
    {
        if (!_assigned.Remove(consumer, out IReadOnlyList<TopicPartition>? partitions))
            return;
        Interlocked.Increment(ref _revocations);
        foreach (TopicPartition partition in partitions)
            progress.GetValueOrDefault(partition.Topic)?.Forget(partition.Partition.Value);
    });

    /// <summary>A task has opened a store. It is closed when queries that are under way have their answers.</summary>
    public void Opened<T>(string store, int partition, StateTable<T> opened)
        where T : class
    {
        opened.Closing = () => Closing(store, partition);
        Change(() => _stores[(store, partition)] = new OpenStore(opened));
    }

    private void Closing(string store, int partition)
    {
        OpenStore? closing = null;
        Change(() => _stores.Remove((store, partition), out closing));
        _remaining.TryRemove((store, partition), out _);
        closing?.Close();
    }

    /// <summary>A store is being restored, from one offset of its changelog to another.</summary>
    public void Restoring(string store, int partition, long remaining) => _remaining[(store, partition)] = Math.Max(0, remaining);

    /// <summary>Records of its changelog were put into a store.</summary>
    public void RestoredSome(string store, int partition, long records)
    {
        if (_remaining.TryGetValue((store, partition), out long remaining))
            _remaining[(store, partition)] = Math.Max(0, remaining - records);
    }

    /// <summary>A store is restored.</summary>
    public void Restored(string store, int partition)
    {
        _remaining.TryRemove((store, partition), out _);
        Change(() =>
        {
            if (_stores.TryGetValue((store, partition), out OpenStore? open))
                open.IsRestored = true;
        });
    }

    /// <summary>
    /// The run has ended: whoever waits for a store waits for the next one. Stores that Streamiz has left open, as it does where its last
    /// commit fails, are closed: the next run would find them locked.
    /// </summary>
    public void End()
    {
        OpenStore[] left = [];
        Change(() =>
        {
            _ended = true;
            left = [.. _stores.Values];
            _stores.Clear();
        });
        foreach (OpenStore open in left)
            open.Leave();
    }

    /// <summary>
    /// Asks the store of a partition when it is restored; <paramref name="topic"/> is what the task reads.
    /// </summary>
    /// <returns>The answer; not asked: this run has ended.</returns>
    /// <exception cref="StreamPartitionElsewhereException">Another process has the partition.</exception>
    public async Task<(bool Asked, TResult Result)> AskAsync<TValue, TResult>(string store, string topic, int partition,
        Func<IKeyValueStore<byte[], TValue>, TResult> ask, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            OpenStore? open;
            lock (_lock)
            {
                if (_ended)
                    return (false, default!);
                changed = _changed.Task;
                open = _stores.GetValueOrDefault((store, partition));
                if (open is null)
                    ThrowIfElsewhere(topic, partition);
            }

            if (open is { IsRestored: true } && open.TryAsk(s => ask((IKeyValueStore<byte[], TValue>)s), out TResult? result))
                return (true, result!);
            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Completes when the event at <paramref name="offset"/> is processed here; false: this run has ended.</summary>
    /// <exception cref="StreamPartitionElsewhereException">Another process has the partition.</exception>
    public async Task<bool> ReachAsync(string topic, int partition, long offset, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task reached = progress[topic].WaitAsync(partition, offset, stop.Token);
        try
        {
            while (true)
            {
                Task changed;
                lock (_lock)
                {
                    if (_ended)
                        return false;
                    changed = _changed.Task;
                    ThrowIfElsewhere(topic, partition);
                }

                if (await Task.WhenAny(reached, changed).WaitAsync(cancellationToken).ConfigureAwait(false) == reached)
                {
                    await reached.ConfigureAwait(false);
                    return true;
                }
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The next offset of a partition that this process has, as soon as it has it; 0: this run has ended.</summary>
    /// <exception cref="StreamPartitionElsewhereException">Another process has the partition.</exception>
    public async Task<long> NextOfAsync(string topic, int partition, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                changed = _changed.Task;
                ThrowIfElsewhere(topic, partition);
                if (_ended)
                    return 0;
            }

            foreach ((int known, long next) in progress[topic].NextOffsets)
            {
                if (known == partition)
                    return next;
            }

            await changed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void ThrowIfElsewhere(string topic, int partition)
    {
        if (_assigned.Count > 0 && !_assigned.Values.Any(a => a.Contains(new TopicPartition(topic, partition))))
            throw new StreamPartitionElsewhereException(topic, partition);
    }

    private void Change(Action change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            change();
            (changed, _changed) = (_changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        changed.TrySetResult();
    }

    private sealed class OpenStore(object store)
    {
        private readonly object _gate = new();
        private int _asking;
        private bool _closed;

        public bool IsRestored { get; set; }

        public bool TryAsk<TResult>(Func<object, TResult> ask, out TResult? result)
        {
            lock (_gate)
            {
                result = default;
                if (_closed)
                    return false;
                _asking++;
            }

            try
            {
                result = ask(store);
                return true;
            }
            finally
            {
                lock (_gate)
                {
                    _asking--;
                    Monitor.PulseAll(_gate);
                }
            }
        }

        public void Leave()
        {
            Close();
            if (store is IStateStore { IsOpen: true } leaked)
                leaked.Close();
        }

        public void Close()
        {
            lock (_gate)
            {
                _closed = true;
                while (_asking > 0)
                    Monitor.Wait(_gate);
            }
        }
    }
}
