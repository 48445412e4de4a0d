using System.Globalization;
using System.Text;
using KafkaEventSourcing.Chaos.Faults;
using KafkaEventSourcing.Hosting.Load;

namespace KafkaEventSourcing.Chaos.Verdict;

/// <summary>What one run, or several together, have seen. Not thread-safe.</summary>
internal sealed class ChaosFigures
{
    private readonly SortedDictionary<FaultKind, List<TimeSpan>> _heldUp = [];
    private readonly SortedDictionary<FaultKind, int> _faults = [];
    private LatencyHistogram _commands = new();
    private LatencyHistogram _reads = new();

    public int Runs { get; set; }

    public int Violations { get; set; }

    /// <summary>Runs after which not all nodes served any more: there is no further one on such a cluster.</summary>
    public int NotReady { get; set; }

    public long Commands { get; set; }

    public long Sendings { get; set; }

    public long SentTwice { get; set; }

    public long Conflicts { get; set; }

    public long Rejections { get; set; }

    public long Unknown { get; set; }

    public long StrongReads { get; set; }

    public long EventualReads { get; set; }

    public long Events { get; set; }

    public long Aggregates { get; set; }

    public int FencedWriters { get; set; }

    public int EndedByThemselves { get; set; }

    public int BadEnds { get; set; }

    /// <summary>Whether there were event streams to restore from.</summary>
    public bool WithStreams { get; init; }

    /// <summary>Whether there was an archive.</summary>
    public bool WithArchive { get; init; }

    /// <summary>Events that are in the archive.</summary>
    public long Archived { get; set; }

    /// <summary>Events that have left their topics, as they are there.</summary>
    public long LeftTopics { get; set; }

    /// <summary>What state stores were filled with.</summary>
    public RestoreFigures Restores { get; set; } = RestoreFigures.None;

    /// <summary>Snapshots of event streams that were compared with the fold of the events, over all runs.</summary>
    public long StreamSnapshots { get; set; }

    /// <summary>Events in topics per event type that were compared with the events, over all runs.</summary>
    public long TypedEvents { get; set; }

    public void Count(IEnumerable<InjectedFault> faults)
    {
        foreach (InjectedFault fault in faults)
            _faults[fault.Fault.Kind] = _faults.GetValueOrDefault(fault.Fault.Kind) + 1;
    }

    public void HeldUp(FaultKind kind, TimeSpan time)
    {
        if (!_heldUp.TryGetValue(kind, out List<TimeSpan>? times))
            _heldUp[kind] = times = [];
        times.Add(time);
    }

    public void Took(LatencyHistogram commands, LatencyHistogram reads) =>
        (_commands, _reads) = (LatencyHistogram.Of([_commands, commands]), LatencyHistogram.Of([_reads, reads]));

    /// <summary>The figures as a table for people.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        Row("runs", Runs);
        Row("runs with a violation", Violations);
        Row("commands", Commands);
        Row("  sendings of them", Sendings);
        Row("  sent twice at a time on purpose", SentTwice);
        Row("  answered with a conflict", Conflicts);
        Row("  rejected", Rejections);
        Row("  sendings without an answer", Unknown);
        Row("strong reads", StrongReads);
        Row("eventual reads", EventualReads);
        Row("events", Events);
        Row("aggregates", Aggregates);
        Row("fenced writers", FencedWriters);
        Row("processes that ended by themselves", EndedByThemselves);
        Row("processes that did not end in order", BadEnds);
        Row("stores restored from barriers", Restores.FromBarriers);
        Row("stores folded from all events", Restores.Folded);
        if (WithArchive)
        {
            Row("events in the archive", Archived);
            Row("  that have left their topics", LeftTopics);
        }

        if (WithStreams)
            Streams();
        Latency("command, p50 / p99 / longest", _commands);
        Latency("strong read, p50 / p99 / longest", _reads);
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture,
            $"{"fault",-16} {"times",8} {"held calls up for: median",28} {"p90",10} {"longest",10}");
        foreach ((FaultKind kind, int times) in _faults)
        {
            List<TimeSpan> heldUp = [.. _heldUp.GetValueOrDefault(kind, []).Order()];
            text.AppendLine(CultureInfo.InvariantCulture,
                $"{Fault.NameOf(kind),-16} {times,8:N0} {Seconds(heldUp, 0.5),28} {Seconds(heldUp, 0.9),10} {Seconds(heldUp, 1),10}");
        }

        text.Append(CultureInfo.InvariantCulture, $"{"all",-16} {_faults.Values.Sum(),8:N0}");
        return text.ToString();

        void Streams()
        {
            Row("stores restored from streams", Restores.FromStreams);
            Row("  snapshots in them", Restores.Aggregates);
            Row("  their snapshots were short of events", Restores.Short);
            Row("  their snapshots could not be used", Restores.Unused.Values.Sum());
            foreach ((string why, int times) in Restores.Unused.OrderByDescending(u => u.Value))
                text.AppendLine(CultureInfo.InvariantCulture, $"    {times:N0} times: {why}");
            Row("faults of streams", _faults.Where(f => f.Key.IsOfStreams()).Sum(f => f.Value));
            Row("snapshots of streams compared", StreamSnapshots);
            Row("events by type compared", TypedEvents);
        }

        void Row(string name, long figure) => text.AppendLine(CultureInfo.InvariantCulture, $"{name,-38} {figure:N0}");

        void Latency(string name, LatencyHistogram all) =>
            text.AppendLine(CultureInfo.InvariantCulture,
                $"{name,-38} {Ms(all.Quantile(0.5))} / {Ms(all.Quantile(0.99))} / {Ms(all.Max)} ms");

        static string Ms(TimeSpan time) => time.TotalMilliseconds.ToString("N1", CultureInfo.InvariantCulture);

        static string Seconds(List<TimeSpan> sorted, double quantile) =>
            sorted.Count == 0
                ? "-"
                : sorted[Math.Min(sorted.Count - 1, (int)(quantile * sorted.Count))].TotalSeconds.ToString("N2",
                    CultureInfo.InvariantCulture) + " s";
    }
}
