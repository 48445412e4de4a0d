using System.Collections.Concurrent;

namespace KafkaEventSourcing.Processing;

/// <summary>Who waits until a partition task has forgotten the states of those who were erased. Thread-safe.</summary>
internal sealed class ErasureRequests
{
    private readonly ConcurrentQueue<TaskCompletionSource> _waiting = [];

    /// <summary>Completes with the next <see cref="Act"/>.</summary>
    public Task Add()
    {
        var forgotten = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting.Enqueue(forgotten);
        return forgotten.Task;
    }

    /// <summary>Has <paramref name="aggregates"/> forget; everything that they remember must be stored.</summary>
    public void Act(AggregateCache aggregates)
    {
        int asked = _waiting.Count; // whoever asks after this may ask for what is erased after this
        aggregates.ForgetErased();
        for (; asked > 0 && _waiting.TryDequeue(out TaskCompletionSource? forgotten); asked--)
            forgotten.SetResult();
    }
}
