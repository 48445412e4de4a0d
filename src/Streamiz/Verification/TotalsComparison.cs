using System.Globalization;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Adds up what events give of one part's totals, each total as far as it says that it has come, and compares. For one pass. Not
/// thread-safe.
/// </summary>
internal sealed class TotalsComparison
{
    private readonly TotalsPart _part;
    private readonly Differences _differences;
    private readonly Dictionary<string, RunningTotal> _totals = [];
    private readonly Dictionary<string, (long Count, Int128 Sum)> _added = [];
    private readonly HashSet<string> _behind = [];

    private TotalsComparison(TotalsPart part, Differences differences) => (_part, _differences) = (part, differences);

    /// <summary>Reads the totals.</summary>
    public static async Task<TotalsComparison> StartAsync(EventStreamsReader reader, TotalsPart part, Differences differences,
        CancellationToken cancellationToken)
    {
        var comparison = new TotalsComparison(part, differences);
        string topic = reader.Definition.ChangelogOf(part.Store);
        foreach (int partition in reader.PartitionsOf(topic))
        {
            foreach ((string key, byte[] value) in await reader.NewestAsync(topic, partition, cancellationToken).ConfigureAwait(false))
                comparison._totals.Add(key, (RunningTotal)reader.Serde.Decode(value));
        }

        return comparison;
    }

    /// <summary>How many totals there are.</summary>
    public long Compared => _totals.Count;

    /// <summary>
    /// Adds an event; <paramref name="isRead"/>: the streams say that it is in their totals.
    /// </summary>
    public void Add(AggregateDefinition source, RecordedEvent recorded, bool isRead)
    {
        if (!_part.Selectors.TryGetValue((source, recorded.Payload.GetType()), out Func<RecordedEvent, TotalEntry?>? select)
            || select(recorded) is not { } entry)
            return;
        string key = TotalKey.Of(entry.Key, entry.Day is { } day ? _part.Calendar.FirstDayOf(day) : _part.Calendar.FirstDayOf(
            entry.Time!.Value));
        if (IsIn(key, source, recorded))
        {
            (long count, Int128 sum) = _added.GetValueOrDefault(key);
            _added[key] = (count + 1, sum + entry.Amount);
        }
        else if (isRead && _behind.Add(key))
        {
            _differences.Add(string.Create(CultureInfo.InvariantCulture,
                $"The total '{key}' of '{_part.Name}' does not have {source.Name} {recorded.Partition}@{recorded.Offset}, which the "
                    + $"streams have read."));
        }
    }

    /// <summary>Compares.</summary>
    public void Finish()
    {
        foreach ((string key, RunningTotal total) in _totals)
        {
            (long count, Int128 sum) = _added.GetValueOrDefault(key);
            if (total.Count != count || total.Sum != sum)
                _differences.Add(string.Create(CultureInfo.InvariantCulture,
                    $"The total '{key}' of '{_part.Name}' is {total.Sum} of {total.Count}; the events up to its offsets give {sum} "
                        + $"of {count}."));
        }
    }

    private bool IsIn(string key, AggregateDefinition source, RecordedEvent recorded) =>
        _totals.TryGetValue(key, out RunningTotal? total)
            && total.Sources.FirstOrDefault(s => s.Aggregate == source.Name && s.Partition == recorded.Partition) is { } last
            && (recorded.Offset, recorded.Part).CompareTo((last.Offset, last.Part)) <= 0;
}
