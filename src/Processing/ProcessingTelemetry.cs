using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// What a partition that serves reports itself when it is asked: the snapshots and events that another node would load and replay, and the
/// bytes of the commands that wait.
/// </summary>
internal sealed record PartitionFigures(Func<(long Snapshots, long Events)> ToRestore, Func<long> WaitingBytes);

internal static class ProcessingTelemetry
{
    private static readonly Meter Meter = new("KafkaEventSourcing.Processing");

    // In seconds, and in commands of a transaction.
    private static readonly InstrumentAdvice<double> Durations = new()
    {
        HistogramBucketBoundaries = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300],
    };
    private static readonly InstrumentAdvice<int> Counts = new()
    {
        HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000],
    };

    private static readonly Counter<long> Commands = Meter.CreateCounter<long>("kes_commands", "{command}", "Commands answered.");
    private static readonly Counter<long> Events = Meter.CreateCounter<long>("kes_events", "{event}", "Events committed.");
    private static readonly Histogram<int> BatchSize = Meter.CreateHistogram("kes_batch_size", "{command}", "Commands of one transaction.",
        advice: Counts);
    private static readonly Histogram<double> BatchDuration = Meter.CreateHistogram("kes_batch_duration", "s",
        "Time to decide and commit one batch.", advice: Durations);
    private static readonly Histogram<double> RestoreDuration = Meter.CreateHistogram("kes_restore_duration", "s",
        "Time to restore one partition.", advice: Durations);
    private static readonly Counter<long> RestoredEvents = Meter.CreateCounter<long>("kes_restored_events", "{event}",
        "Events replayed by restores.");
    private static readonly ConcurrentDictionary<(string Application, string Aggregate, int Partition), PartitionFigures> Serving = [];
    private static double s_loadRate = 50_000; // snapshots a second, until one was measured
    private static double s_replayRate = 50_000; // events a second, likewise

    private static readonly Counter<long> Aborts = Meter.CreateCounter<long>("kes_aborted_batches", "{batch}",
        "Batches that were aborted and decided again.");

    private static readonly Counter<long> Reroutes = Meter.CreateCounter<long>("kes_commands_rerouted", "{command}",
        "Commands that lay on another partition than their key's, and were forwarded: their producer has another partitioner.");

    private static readonly ConcurrentDictionary<(string Application, string Aggregate, int Partition), ParkedAggregates?> Parked = [];

    private static readonly Counter<long> CommandsLost = Meter.CreateCounter<long>("kes_commands_lost", "{command}",
        "Commands that are gone from the command topic before they were decided, by retention or deletion; at most, as an offset need not "
            + "be a command.");
    private static readonly Counter<long> InputResumed = Meter.CreateCounter<long>("kes_input_resumed", "{partition}",
        "Partitions that went on from the offset in the log, as that of the group was missing or behind.");
    private static readonly ConcurrentDictionary<(string Application, string Aggregate, int Partition), int> HaltedPartitions = [];

    static ProcessingTelemetry()
    {
        Meter.CreateObservableGauge("kes_halted_partitions", () =>
            HaltedPartitions.Select(h => new Measurement<int>(h.Value, TagsOf(h.Key))), "{partition}",
            "Partitions that a topic which is not the one before has halted: nothing of theirs is decided until an operator acts.");
        Meter.CreateObservableGauge("kes_restore_estimate", Estimates, "s",
            "How long another node would load snapshots and replay events if it took the partition over now, without a warm copy.");
        Meter.CreateObservableGauge("kes_partitions", Partitions, "{partition}", "Partitions that this node serves.");
        Meter.CreateObservableGauge("kes_waiting_bytes", () => Measure(f => f.WaitingBytes()), "By",
            "Commands that wait for their partition.");
        Meter.CreateObservableGauge("kes_parked_aggregates", () => Measure(p => p.Count), "{aggregate}",
            "Aggregates that are parked: nothing of theirs is decided until an operator acts.");
        Meter.CreateObservableGauge("kes_parked_records", () => Measure(p => p.Records), "{record}", "Dead letters that wait.");
    }

    public static void Watch(ParkedAggregates parked) => Parked[KeyOf(parked)] = parked;

    /// <summary>From now on 0 learns of its partition: a figure that is not told any more would stand at its last value.</summary>
    public static void Unwatch(ParkedAggregates? parked)
    {
        if (parked is not null)
            Parked.TryUpdate(KeyOf(parked), null, parked);
    }

    /// <summary>From now on the gauges report a partition.</summary>
    public static void Watch(TopicFamily topics, int partition, PartitionFigures figures) =>
        Serving[(topics.Application, topics.Aggregate, partition)] = figures;

    public static void Unwatch(TopicFamily topics, int partition) =>
        Serving.TryRemove((topics.Application, topics.Aggregate, partition), out _);

    /// <summary>A replay, from which the next ones are estimated when it was not too short to tell.</summary>
    public static void Replayed(long events, TimeSpan elapsed) => Measured(ref s_replayRate, events, elapsed);

    /// <summary>A load of snapshots, likewise.</summary>
    public static void Loaded(long snapshots, TimeSpan elapsed) => Measured(ref s_loadRate, snapshots, elapsed);

    /// <summary>In seconds; measured as <see cref="Replayed"/> and <see cref="Loaded"/> were told.</summary>
    public static double Estimate(long snapshots, long events) =>
        (snapshots / Volatile.Read(ref s_loadRate)) + (events / Volatile.Read(ref s_replayRate));

    public static void Committed(TopicFamily topics, int commands, int events, TimeSpan elapsed)
    {
        TagList tags = TagsOf(topics);
        Commands.Add(commands, tags);
        Events.Add(events, tags);
        BatchSize.Record(commands, tags);
        BatchDuration.Record(elapsed.TotalSeconds, tags);
    }

    public static void Lost(TopicFamily topics, int partition, long commands) =>
        CommandsLost.Add(commands, TagsOf((topics.Application, topics.Aggregate, partition)));

    public static void Resumed(TopicFamily topics) => InputResumed.Add(1, TagsOf(topics));

    /// <summary>From now on the partition is told as halted, or as not halted (any more).</summary>
    public static void Halt(TopicFamily topics, int partition, bool isHalted)
    {
        (string, string, int) key = (topics.Application, topics.Aggregate, partition);
        if (isHalted)
            HaltedPartitions[key] = 1;
        else
            HaltedPartitions.TryUpdate(key, 0, 1);
    }

    public static void Aborted(TopicFamily topics) => Aborts.Add(1, TagsOf(topics));

    public static void Rerouted(TopicFamily topics, int commands)
    {
        if (commands > 0)
            Reroutes.Add(commands, TagsOf(topics));
    }

    public static void Restored(TopicFamily topics, long events, TimeSpan elapsed)
    {
        TagList tags = TagsOf(topics);
        RestoredEvents.Add(events, tags);
        RestoreDuration.Record(elapsed.TotalSeconds, tags);
    }

    private static void Measured(ref double rate, long items, TimeSpan elapsed)
    {
        const int enough = 1_000;
        if (items >= enough)
            Volatile.Write(ref rate, items / elapsed.TotalSeconds);
    }

    private static IEnumerable<Measurement<double>> Estimates() =>
        Measure(f => f.ToRestore() is var left ? Estimate(left.Snapshots, left.Events) : 0);

    private static IEnumerable<Measurement<int>> Partitions() =>
        [.. Serving.Keys.GroupBy(k => (k.Application, k.Aggregate)).Select(g =>
            new Measurement<int>(g.Count(), new("application", g.Key.Application), new("aggregate", g.Key.Aggregate)))];

    private static Measurement<T>[] Measure<T>(Func<PartitionFigures, T> figure)
        where T : struct => [.. Serving.Select(p => new Measurement<T>(figure(p.Value), TagsOf(p.Key)))];

    private static Measurement<long>[] Measure(Func<ParkedAggregates, long> figure) =>
        [.. Parked.Select(p => new Measurement<long>(p.Value is null ? 0 : figure(p.Value), TagsOf(p.Key)))];

    private static TagList TagsOf(TopicFamily topics) => new() { { "application", topics.Application }, { "aggregate", topics.Aggregate } };

    private static TagList TagsOf((string Application, string Aggregate, int Partition) key) =>
        new() { { "application", key.Application }, { "aggregate", key.Aggregate }, { "partition", key.Partition } };

    private static (string, string, int) KeyOf(ParkedAggregates parked) =>
        (parked.Topics.Application, parked.Topics.Aggregate, parked.Partition);
}
