using System.Globalization;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Archive;

/// <summary>How the files of one aggregate type are called in an archive.</summary>
/// <param name="topics">The topics of the aggregate type; its events are archived.</param>
internal sealed class ArchiveLayout(TopicFamily topics)
{
    private const string Entry = ".json";
    private const string Table = ".parquet";

    private readonly string _folder = $"{topics.Application}.{topics.Aggregate}";

    /// <summary>The topic that is archived.</summary>
    public string Topic => topics.Events;

    /// <summary>What the names of all its files begin with.</summary>
    public string Folder => _folder + "/";

    /// <summary>What the names of the manifest's entries of a partition begin with.</summary>
    public string ManifestOf(int partition) => string.Create(CultureInfo.InvariantCulture, $"{_folder}/manifest/partition={partition}/");

    /// <summary>The entry of the range that begins at <paramref name="start"/>.</summary>
    public string EntryOf(int partition, long start) =>
        string.Create(CultureInfo.InvariantCulture, $"{ManifestOf(partition)}{start:D20}{Entry}");

    /// <summary>The plan of the range that begins at <paramref name="start"/>.</summary>
    public string PlanOf(int partition, long start) =>
        string.Create(CultureInfo.InvariantCulture, $"{_folder}/plans/partition={partition}/{start:D20}{Entry}");

    /// <summary>The records of a range as they were in the topic.</summary>
    public string EventsOf(int partition, long start, long end) =>
        string.Create(CultureInfo.InvariantCulture, $"{_folder}/events/partition={partition}/{start:D20}-{end:D20}{Table}");

    /// <summary>The events of one type, one day (or month, or year) and one schema of a range.</summary>
    public string TypeOf(string type, DateOnly date, int partition, long start, long end, string schema) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{_folder}/types/event_type={type}/date={date:yyyy-MM-dd}/p{partition}-{start:D20}-{end:D20}-s{schema}{Table}");

    /// <summary>Reads the start of the range out of the name of an entry; false: it is not the name of one.</summary>
    public static bool TryReadStart(string entry, out long start)
    {
        int from = entry.LastIndexOf('/') + 1;
        start = -1;
        return entry.EndsWith(Entry, StringComparison.Ordinal)
            && long.TryParse(entry.AsSpan(from..^Entry.Length), NumberStyles.None, CultureInfo.InvariantCulture, out start);
    }
}
