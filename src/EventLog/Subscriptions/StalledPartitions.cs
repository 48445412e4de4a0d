using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The partitions of a subscription that stand still at an event that its handler does not take, or that cannot be read, and why. They try
/// it again and again; the other partitions go on. Thread-safe.
/// </summary>
public sealed class StalledPartitions
{
    private static readonly Meter Meter = new("KafkaEventSourcing.EventLog");
    private static readonly ConcurrentDictionary<(string Group, int Partition), int> Standing = [];

    private readonly string _group;
    private readonly Lock _lock = new();
    private readonly Dictionary<int, string> _reasons = [];
    private TaskCompletionSource<string> _any = new(TaskCreationOptions.RunContinuationsAsynchronously);

    static StalledPartitions() => Meter.CreateObservableGauge(
        "kes_subscription_stopped", () =>
            Standing.Select(s => new Measurement<int>(s.Value, new("group", s.Key.Group), new("partition", s.Key.Partition))),
            "{partition}",
        "1: the partition stands still at an event that cannot be read or that its handler does not take.");

    internal StalledPartitions(string group) => _group = group;

    /// <summary>Completes with the reason as soon as a partition stands still; at once if one does.</summary>
    public Task<string> Any
    {
        get
        {
            lock (_lock)
                return _any.Task;
        }
    }

    /// <summary>The partitions that stand still now, each with what its event is and what is wrong.</summary>
    public IReadOnlyDictionary<int, string> All()
    {
        lock (_lock)
            return new Dictionary<int, string>(_reasons);
    }

    internal void Set(int partition, string reason)
    {
        lock (_lock)
        {
            _reasons[partition] = reason;
            Standing[(_group, partition)] = 1;
            _any.TrySetResult(reason);
        }
    }

    internal void Clear(int partition)
    {
        lock (_lock)
        {
            if (!_reasons.Remove(partition))
                return;
            Standing[(_group, partition)] = 0;
            if (_any.Task.IsCompleted)
                _any = new(TaskCreationOptions.RunContinuationsAsynchronously);
            foreach (string other in _reasons.Values)
                _any.TrySetResult(other);
        }
    }
}
