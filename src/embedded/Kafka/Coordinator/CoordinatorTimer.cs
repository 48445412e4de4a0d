using KafkaEventSourcing.Embedded.Kafka.Log;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// Named deadlines of a coordinator: one timer, set to the earliest, so that an idle coordinator costs nothing. Actions run under the
/// coordinator's lock, which callers of the other methods hold.
/// </summary>
internal sealed partial class CoordinatorTimer : IDisposable
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);

    private readonly Lock _lock;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer _timer;
    private readonly PriorityQueue<(string Key, long Version), DateTimeOffset> _queue = new();
    private readonly Dictionary<string, (long Version, Action Action)> _actions = [];
    private DateTimeOffset _armedFor = DateTimeOffset.MaxValue;
    private long _version;
    private bool _disposed;

    public CoordinatorTimer(Lock coordinatorLock, TimeProvider time, ILogger logger)
    {
        (_lock, _time, _logger) = (coordinatorLock, time, logger);
        _timer = BackgroundTimer.Create(time, logger, "The timer of a coordinator", Run);
    }

    /// <summary>Has <paramref name="action"/> run after <paramref name="delay"/>, in place of an earlier one of the same name.</summary>
    public void Schedule(string key, TimeSpan delay, Action action)
    {
        long version = ++_version;
        _actions[key] = (version, action);
        DateTimeOffset due = _time.GetUtcNow() + delay;
        _queue.Enqueue((key, version), due);
        if (due < _armedFor)
            Arm(due);
    }

    public bool IsScheduled(string key) => _actions.ContainsKey(key);

    public void Cancel(string key) => _actions.Remove(key);

    public void Dispose()
    {
        lock (_lock)
            _disposed = true;
        _timer.Dispose();
    }

    private void Arm(DateTimeOffset due)
    {
        _armedFor = due;
        if (_disposed)
            return;
        TimeSpan delay = due - _time.GetUtcNow();
        // Timers count whole milliseconds: one more, so that it does not fire just before the deadline.
        _timer.Change(delay > TimeSpan.Zero ? delay + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    private void Run()
    {
        lock (_lock)
        {
            if (_disposed)
                return;
            _armedFor = DateTimeOffset.MaxValue;
            DateTimeOffset now = _time.GetUtcNow();
            while (_queue.TryPeek(out (string Key, long Version) next, out DateTimeOffset due))
            {
                bool current = _actions.TryGetValue(next.Key, out (long Version, Action Action) scheduled)
                    && scheduled.Version == next.Version;
                if (current && due > now)
                {
                    if (due < _armedFor)
                        Arm(due);
                    return;
                }

                _queue.Dequeue();
                if (current)
                {
                    _actions.Remove(next.Key);
                    Act(next.Key, scheduled.Action);
                }
            }
        }
    }

    // What is due and cannot be done now, as on a full disk, is done later; what else is due goes on.
    private void Act(string key, Action action)
    {
        try
        {
            action();
        }
        catch (Exception failure)
        {
            if (!StorageHealth.IsFault(failure))
                LogFailed(failure, key.Replace('\0', ' '));
            if (!IsScheduled(key))
                Schedule(key, Retry, action);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The coordinator's deadline {Name} failed; it is tried again")]
    private partial void LogFailed(Exception failure, string name);
}
