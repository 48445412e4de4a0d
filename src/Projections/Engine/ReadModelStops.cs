using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.Projections;

/// <summary>
/// The read models that this node does not write, as the log is not the one that they were folded from, and why. Thread-safe.
/// </summary>
public sealed class ReadModelStops
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Projections");
    private static readonly ConcurrentDictionary<(string ReadModel, EventPartition Partition), int> Standing = [];

    private readonly Lock _lock = new();
    private readonly ProjectionFeed _feed;
    private readonly Dictionary<(string ReadModel, int Partition), string> _reasons = [];
    private TaskCompletionSource<string> _any = new(TaskCreationOptions.RunContinuationsAsynchronously);

    static ReadModelStops() => Meter.CreateObservableGauge(
        "kes_read_model_stopped", () => Standing.Select(s => new Measurement<int>(s.Value, TagsOf(s.Key.ReadModel, s.Key.Partition))),
        "{partition}",
        "1: the read model is not written, as the events topic is not the one that it was folded from, or was cut.");

    internal ReadModelStops(ProjectionFeed feed) => _feed = feed;

    /// <summary>Completes with the reason as soon as a read model is stopped; at once if one is.</summary>
    public Task<string> Any
    {
        get
        {
            lock (_lock)
                return _any.Task;
        }
    }

    /// <summary>What is stopped now, and why.</summary>
    public IReadOnlyDictionary<(string ReadModel, int Partition), string> All()
    {
        lock (_lock)
            return new Dictionary<(string, int), string>(_reasons);
    }

    internal bool Has(string readModel, int partition)
    {
        lock (_lock)
            return _reasons.ContainsKey((readModel, partition));
    }

    /// <summary>Whether this is new.</summary>
    internal bool Set(string readModel, int partition, string reason)
    {
        lock (_lock)
        {
            bool isNew = !_reasons.TryGetValue((readModel, partition), out string? present) || present != reason;
            _reasons[(readModel, partition)] = reason;
            Standing[(readModel, _feed.Of(readModel, partition))] = 1;
            _any.TrySetResult(reason);
            return isNew;
        }
    }

    /// <summary>Whether it was stopped.</summary>
    internal bool Clear(string readModel, int partition)
    {
        lock (_lock)
        {
            if (!_reasons.Remove((readModel, partition)))
                return false;
            Standing[(readModel, _feed.Of(readModel, partition))] = 0;
            _any = new(TaskCreationOptions.RunContinuationsAsynchronously);
            foreach (string other in _reasons.Values)
                _any.TrySetResult(other);
            return true;
        }
    }

    private static KeyValuePair<string, object?>[] TagsOf(string readModel, EventPartition partition) =>
    [
        new("read_model", readModel),
        new("partition", partition.Partition),
        .. partition.Aggregate is { } aggregate ? (KeyValuePair<string, object?>[])[new("aggregate", aggregate)] : [],
    ];
}
