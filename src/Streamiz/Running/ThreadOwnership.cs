using System.Collections.Concurrent;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Whether the calling thread of Streamiz still has its partitions, as far as it can know. When it has lost them, Streamiz flushes stores
/// and writes checkpoints all the same, of work that was given up; when a processor has failed, Streamiz commits what it had done of the
/// event. What is lost is neither written, nor committed, nor vouched for. Of one run. Thread-safe.
/// </summary>
internal sealed class ThreadOwnership
{
    private readonly ConcurrentDictionary<int, State> _threads = [];

    private enum Kind
    {
        Held,
        Lost,
        Ended,
    }

    /// <summary>Whether what the thread has under way is given up: it is read again by whoever has the partitions next.</summary>
    public bool IsLost => _threads.TryGetValue(Environment.CurrentManagedThreadId, out State? state) && state.Kind != Kind.Held;

    /// <summary>Whether the thread is about to end, after a fault.</summary>
    public bool IsEnded => _threads.TryGetValue(Environment.CurrentManagedThreadId, out State? state) && state.Kind == Kind.Ended;

    /// <summary>The thread's partitions belong to others, or the transaction is aborted.</summary>
    public void Lose()
    {
        State state = Here();
        if (state.Kind == Kind.Held)
            state.Kind = Kind.Lost;
    }

    /// <summary>A fault ends the thread: Streamiz closes what it has.</summary>
    public void End() => Here().Kind = Kind.Ended;

    /// <summary>The thread has partitions anew.</summary>
    /// <param name="confirm">Throws when it has them no more; null: transactions see to that.</param>
    public void Regain(Action? confirm)
    {
        State state = Here();
        if (state.Kind == Kind.Lost)
            state.Kind = Kind.Held;
        state.Confirm = confirm;
    }

    /// <summary>Before stores are written: throws when the thread has lost its partitions and was not told yet.</summary>
    public void Confirm()
    {
        if (_threads.TryGetValue(Environment.CurrentManagedThreadId, out State? state) && state.Kind == Kind.Held)
            state.Confirm?.Invoke();
    }

    private State Here() => _threads.GetOrAdd(Environment.CurrentManagedThreadId, static _ => new State());

    private sealed class State
    {
        public Kind Kind { get; set; }

        public Action? Confirm { get; set; }
    }
}
