using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

internal static class ProcessingTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Processing");

    private static readonly Counter<long> Commands = Meter.CreateCounter<long>("kes_commands", "{command}", "Commands answered.");
    private static readonly Counter<long> Events = Meter.CreateCounter<long>("kes_events", "{event}", "Events committed.");
    private static readonly Histogram<int> BatchSize = Meter.CreateHistogram<int>("kes_batch_size", "{command}", "Commands of one transaction.");
    private static readonly Histogram<double> BatchDuration = Meter.CreateHistogram<double>("kes_batch_duration", "s", "Time to decide and commit one batch.");
    private static readonly Histogram<double> RestoreDuration = Meter.CreateHistogram<double>("kes_restore_duration", "s", "Time to restore one partition.");
    private static readonly Counter<long> RestoredEvents = Meter.CreateCounter<long>("kes_restored_events", "{event}", "Events replayed by restores.");
    private static readonly ConcurrentDictionary<(string Application, string Aggregate, int Partition), Func<(long Snapshots, long Events)>> Replayable = [];
    private static double s_loadRate = 50_000; // snapshots a second, until one was measured
    private static double s_replayRate = 50_000; // events a second, likewise

    private static readonly Counter<long> Aborts = Meter.CreateCounter<long>("kes_aborted_batches", "{batch}", "Batches that were aborted and decided again.");

    private static readonly ConcurrentDictionary<(string Application, string Aggregate, int Partition), ParkedAggregates?> Parked = [];

    static ProcessingTelemetry()
    {
        Meter.CreateObservableGauge("kes_restore_estimate", Estimates, "s", "How long another node would load snapshots and replay events if it took the partition over now, without a warm copy.");
        Meter.CreateObservableGauge("kes_parked_aggregates", () => Measure(p => p.Count), "{aggregate}", "Aggregates that are parked: nothing of theirs is decided until an operator acts.");
        Meter.CreateObservableGauge("kes_parked_records", () => Measure(p => p.Records), "{record}", "Dead letters that wait.");
    }

    public static void Watch(ParkedAggregates parked) => Parked[KeyOf(parked)] = parked;

    /// <summary>From now on 0 is told of its partition: a figure that is not told any more would stand at its last value.</summary>
    public static void Unwatch(ParkedAggregates? parked)
    {
        if (parked is not null)
            Parked.TryUpdate(KeyOf(parked), null, parked);
    }

    /// <summary>From now on the gauge of restores tells of a partition; <paramref name="left"/> is how many snapshots would be loaded and events be replayed.</summary>
    public static void Watch(TopicFamily topics, int partition, Func<(long Snapshots, long Events)> left) => Replayable[(topics.Application, topics.Aggregate, partition)] = left;

    public static void Unwatch(TopicFamily topics, int partition) => Replayable.TryRemove((topics.Application, topics.Aggregate, partition), out _);

    /// <summary>A replay, from which the next ones are estimated when it was not too short to tell.</summary>
    public static void Replayed(long events, TimeSpan elapsed) => Measured(ref s_replayRate, events, elapsed);

    /// <summary>A load of snapshots, likewise.</summary>
    public static void Loaded(long snapshots, TimeSpan elapsed) => Measured(ref s_loadRate, snapshots, elapsed);

    /// <summary>In seconds; measured as <see cref="Replayed"/> and <see cref="Loaded"/> were told.</summary>
    public static double Estimate(long snapshots, long events) => (snapshots / Volatile.Read(ref s_loadRate)) + (events / Volatile.Read(ref s_replayRate));

    public static void Committed(int commands, int events, TimeSpan elapsed)
    {
        Commands.Add(commands);
        Events.Add(events);
        BatchSize.Record(commands);
        BatchDuration.Record(elapsed.TotalSeconds);
    }

    public static void Aborted() => Aborts.Add(1);

    public static void Restored(long events, TimeSpan elapsed)
    {
        RestoredEvents.Add(events);
        RestoreDuration.Record(elapsed.TotalSeconds);
    }

    private static void Measured(ref double rate, long items, TimeSpan elapsed)
    {
        const int enough = 1_000;
        if (items >= enough)
            Volatile.Write(ref rate, items / elapsed.TotalSeconds);
    }

    private static IEnumerable<Measurement<double>> Estimates() =>
        [.. Replayable.Select(p => new Measurement<double>(Estimate(p.Value().Snapshots, p.Value().Events), new("application", p.Key.Application), new("aggregate", p.Key.Aggregate), new("partition", p.Key.Partition)))];

    private static Measurement<long>[] Measure(Func<ParkedAggregates, long> figure) =>
        [.. Parked.Select(p => new Measurement<long>(p.Value is null ? 0 : figure(p.Value), new("application", p.Key.Application), new("aggregate", p.Key.Aggregate), new("partition", p.Key.Partition)))];

    private static (string, string, int) KeyOf(ParkedAggregates parked) => (parked.Topics.Application, parked.Topics.Aggregate, parked.Partition);
}
