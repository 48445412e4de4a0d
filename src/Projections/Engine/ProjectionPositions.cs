namespace KafkaEventSourcing.Projections;

/// <summary>
/// How far the read models of this node are, per event partition, and who waits for them. Thread-safe.
/// </summary>
public sealed class ProjectionPositions
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _next = [];
    private readonly Dictionary<int, PriorityQueue<TaskCompletionSource, long>> _waiters = [];

    /// <summary>The next offset to be read of <paramref name="partition"/>; null when this node has read nothing of it.</summary>
    public long? Of(int partition)
    {
        lock (_lock)
            return _next.TryGetValue(partition, out long next) ? next : null;
    }

    /// <summary>A copy of all positions: partition and next offset.</summary>
    public IReadOnlyDictionary<int, long> All()
    {
        lock (_lock)
            return new Dictionary<int, long>(_next);
    }

    /// <summary>
    /// Completes once this node knows that the read models include the event that <paramref name="token"/> names;
    /// <see cref="ProjectionEngine.WaitForAsync"/> looks, too, at what other nodes write.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled first.</exception>
    public async Task WaitForAsync(ConsistencyToken token, CancellationToken cancellationToken = default)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_next.TryGetValue(token.Partition, out long next) && next > token.Offset)
                return;
            if (!_waiters.TryGetValue(token.Partition, out PriorityQueue<TaskCompletionSource, long>? waiters))
                _waiters.Add(token.Partition, waiters = new());
            waiters.Enqueue(reached, token.Offset);
        }

        try
        {
            await reached.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            lock (_lock)
            {
                // Any number may be in a caller's token: a queue that is empty is not kept.
                if (_waiters.TryGetValue(token.Partition, out PriorityQueue<TaskCompletionSource, long>? waiters)
                    && waiters.Remove(reached, out _, out _)
                    && waiters.Count == 0)
                    _waiters.Remove(token.Partition);
            }

            throw;
        }
    }

    /// <summary>Reading begins at <paramref name="next"/>, also when it had come further; null: at the start.</summary>
    internal void Restart(int partition, long? next)
    {
        lock (_lock)
            _next.Remove(partition);
        if (next is { } position)
            Advance(partition, position);
    }

    internal void Advance(int partition, long next)
    {
        List<TaskCompletionSource>? reached = null;
        lock (_lock)
        {
            if (_next.TryGetValue(partition, out long present) && present >= next)
                return;
            _next[partition] = next;
            if (!_waiters.TryGetValue(partition, out PriorityQueue<TaskCompletionSource, long>? waiters))
                return;
            while (waiters.TryPeek(out TaskCompletionSource? waiter, out long offset) && offset < next)
            {
                waiters.Dequeue();
                (reached ??= []).Add(waiter);
            }

            if (waiters.Count == 0)
                _waiters.Remove(partition);
        }

        foreach (TaskCompletionSource waiter in reached ?? [])
            waiter.TrySetResult();
    }
}
