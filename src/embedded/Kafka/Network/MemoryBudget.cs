namespace KafkaEventSourcing.Embedded.Kafka.Network;

/// <summary>
/// The bytes that requests under way may hold, all connections together (Kafka's <c>queued.max.request.bytes</c>). Who finds no room waits
/// its turn. Thread-safe.
/// </summary>
internal sealed class MemoryBudget(long limit)
{
    private readonly Lock _lock = new();
    private readonly Queue<(int Bytes, TaskCompletionSource Granted)> _waiting = [];
    private long _used;

    public ValueTask Take(int bytes, CancellationToken cancellationToken)
    {
        TaskCompletionSource granted;
        lock (_lock)
        {
            if (_waiting.Count == 0 && (_used == 0 || _used + bytes <= limit))
            {
                _used += bytes;
                return ValueTask.CompletedTask;
            }

            granted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue((bytes, granted));
        }

        return Wait(granted, cancellationToken);
    }

    public void Return(int bytes)
    {
        lock (_lock)
        {
            _used -= bytes;
            while (_waiting.TryPeek(out (int Bytes, TaskCompletionSource Granted) next)
                && (_used == 0 || _used + next.Bytes <= limit || next.Granted.Task.IsCompleted))
            {
                _waiting.Dequeue();
                if (next.Granted.TrySetResult())
                    _used += next.Bytes;
            }
        }
    }

    private async ValueTask Wait(TaskCompletionSource granted, CancellationToken cancellationToken)
    {
        using CancellationTokenRegistration cancelled = cancellationToken.Register(() => granted.TrySetCanceled(cancellationToken));
        await granted.Task.ConfigureAwait(false);
    }
}
