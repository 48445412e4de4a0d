namespace KafkaEventSourcing.Processing;

/// <summary>
/// Strong reads that wait for proof that this node is still the writer of the partition: a transaction that Kafka accepts and whose commit
/// was sent after the read came. All reads that wait share one. Reads may come from any thread; the rest belongs to the partition task.
/// </summary>
internal sealed class ReadFence(int partition)
{
    private readonly Lock _lock = new();
    private readonly List<TaskCompletionSource> _proving = [];
    private TaskCompletionSource? _waiting;
    private bool _closed;

    /// <summary>Whether a read waits for a commit that has not begun.</summary>
    public bool IsAwaited
    {
        get
        {
            lock (_lock)
                return _waiting is not null;
        }
    }

    /// <summary>
    /// Ends after the next commit that begins from now on; <paramref name="first"/>: nobody else waits for it, so somebody has to see that
    /// there is one.
    /// </summary>
    /// <exception cref="AggregateUnavailableException">The partition has left this node; at once, or later by the task.</exception>
    public Task Next(out bool first)
    {
        lock (_lock)
        {
            if (_closed)
                throw Left();
            first = _waiting is null;
            _waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _waiting.Task;
        }
    }

    /// <summary>A commit is about to be sent: it proves the reads that have come so far.</summary>
    public void BeginCommit()
    {
        lock (_lock)
        {
            if (_waiting is null)
                return;
            _proving.Add(_waiting);
            _waiting = null;
        }
    }

    /// <summary>The commit was accepted, and what it wrote can be read.</summary>
    public void Committed()
    {
        foreach (TaskCompletionSource proved in _proving)
            proved.TrySetResult();
        _proving.Clear();
    }

    /// <summary>Refuses the reads that wait and those to come.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            if (_waiting is not null)
                _proving.Add(_waiting);
            _waiting = null;
        }

        foreach (TaskCompletionSource refused in _proving)
        {
            refused.TrySetException(Left());
            _ = refused.Task.Exception; // whoever waited may have been cancelled
        }

        _proving.Clear();
    }

    private AggregateUnavailableException Left() => new(partition, $"Partition {partition} has just left this node; try again.");
}
