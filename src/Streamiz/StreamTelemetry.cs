using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace KafkaEventSourcing.Streamiz;

/// <summary>What one run of a definition counts and shows. Thread-safe.</summary>
internal sealed class StreamTelemetry(string definition)
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Streamiz");
    private static readonly Counter<long> SkippedRepeats = Meter.CreateCounter<long>("kes_streams_skipped_repeats", "{event}",
        "Events that came again and changed nothing, as their version or offset was in the store already.");
    private static readonly Counter<long> RestoredRecords = Meter.CreateCounter<long>("kes_streams_restored", "{record}",
        "Records of changelogs that were read back into stores.");
    private static readonly Counter<long> Restarts = Meter.CreateCounter<long>("kes_streams_restarts", "{restart}",
        "Starts after a fault.");
    private static readonly ConcurrentDictionary<IStreamGauges, string> Watched = [];

    private readonly ConcurrentDictionary<string, long> _repeats = [];

    static StreamTelemetry()
    {
        Meter.CreateObservableGauge(
            "kes_streams_lag", () => Watched.SelectMany(w => w.Key.Lags.Select(l => new Measurement<long>(l.Lag, new("streams", w.Value),
                new("topic", l.Topic), new("partition", l.Partition)))), "{event}",
            "Offsets from the next record that this process reads to the end of the partition, as far as the client has been told; 0 when "
                + "all is read.");
        Meter.CreateObservableGauge(
            "kes_streams_restore_remaining", () => Watched.SelectMany(w => w.Key.Restores.Select(r => new Measurement<long>(r.Remaining,
                new("streams", w.Value), new("store", r.Store), new("partition", r.Partition)))), "{record}",
            "Offsets of a changelog that have to be read before the store can be asked; 0 when it is restored.");
    }

    /// <summary>How many repeats were skipped by the store <paramref name="store"/>.</summary>
    public long SkippedRepeatsOf(string store) => _repeats.GetValueOrDefault(store);

    /// <summary>An event came again.</summary>
    public void SkippedRepeat(string store)
    {
        _repeats.AddOrUpdate(store, 1, static (_, count) => count + 1);
        SkippedRepeats.Add(1, new("streams", definition), new("store", store));
    }

    /// <summary>Records were read back into a store.</summary>
    public void Restored(string store, long records) => RestoredRecords.Add(records, new("streams", definition), new("store", store));

    /// <summary>The streams start again.</summary>
    public void Restarted() => Restarts.Add(1, new KeyValuePair<string, object?>("streams", definition));

    /// <summary>Shows <paramref name="gauges"/> until <see cref="Unwatch"/>.</summary>
    public void Watch(IStreamGauges gauges) => Watched[gauges] = definition;

    /// <summary>Shows them no more.</summary>
    public static void Unwatch(IStreamGauges gauges) => Watched.TryRemove(gauges, out _);
}

/// <summary>What is shown of a run at the moment somebody looks.</summary>
internal interface IStreamGauges
{
    /// <summary>How far it is behind.</summary>
    IEnumerable<(string Topic, int Partition, long Lag)> Lags { get; }

    /// <summary>How much is left to restore.</summary>
    IEnumerable<(string Store, int Partition, long Remaining)> Restores { get; }
}
