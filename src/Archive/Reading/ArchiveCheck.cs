using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// Looks through the archive of a partition: every file has the hash and the rows that its entry says, every range its records, and what is
/// in the topic still is the same there. The calls block. Not thread-safe.
/// </summary>
/// <param name="store">Where the archive is.</param>
/// <param name="topics">The topics of the aggregate type.</param>
/// <param name="log">The topic; null: it is not compared.</param>
internal sealed class ArchiveCheck(IArchiveStore store, TopicFamily topics, PartitionLogReader? log)
{
    private readonly ArchiveReader _reader = new(store, [topics]);

    /// <summary>Checks a partition; problems are told to <paramref name="problem"/> as they are found.</summary>
    /// <exception cref="IOException">The archive cannot be read.</exception>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public ArchiveCheckFigures Run(int partition, Action<string> problem, CancellationToken cancellationToken)
    {
        var place = new TopicPartition(topics.Events, partition);
        var figures = default(ArchiveCheckFigures);
        IReadOnlyList<RangeSummary> ranges;
        try
        {
            ranges = _reader.RangesOf(place, cancellationToken);
        }
        catch (ArchiveDamagedException damaged)
        {
            problem(damaged.Message);
            return figures;
        }

        var manifest = new PartitionManifest(store, new ArchiveLayout(topics), partition);
        long hot = log?.HotBounds(place, cancellationToken).Low.Value ?? long.MaxValue;
        foreach (RangeSummary range in ranges)
        {
            try
            {
                (long records, long compared) = CheckRecords(place, range, hot, cancellationToken);
                ArchivedRange entry = manifest.EntryOf(range, cancellationToken).GetAwaiter().GetResult(); // callers own their threads
                foreach (ArchivedTable table in entry.Tables)
                    CheckTable(table, cancellationToken);
                figures = figures.With(range, entry, records, compared);
            }
            catch (ArchiveDamagedException damaged)
            {
                problem(damaged.Message);
            }
        }

        return figures;
    }

    private (long Records, long Compared) CheckRecords(
        TopicPartition place, RangeSummary range, long hot, CancellationToken cancellationToken)
    {
        long records = 0;
        var there = new RangeRecords();
        foreach (ConsumeResult<byte[], byte[]> record in _reader.Read(place, range.Start, cancellationToken)
            .TakeWhile(r => r.Offset.Value < range.End))
        {
            records++;
            if (record.Offset.Value >= hot)
                there.Add(record);
        }

        if (records != range.Records)
            throw Wrong(range.Events.Name, string.Create(CultureInfo.InvariantCulture,
                $"has {records} records, and its entry says {range.Records}"));
        if (range.End > hot && there.DifferenceFrom(log!.Read(place, Math.Max(hot, range.Start), cancellationToken)
            .TakeWhile(r => r.Offset.Value < range.End)) is { } difference)
            throw Wrong(range.Events.Name, $"does not have what is in {place.Topic}: {difference}");
        return (records, there.Records.Count);
    }

    private void CheckTable(ArchivedTable table, CancellationToken cancellationToken)
    {
        string hash;
        try
        {
            hash = ArchiveJson.HashOf(ArchiveBytes.Load(store, table.File, cancellationToken));
        }
        catch (Exception missing) when (missing is FileNotFoundException or EndOfStreamException)
        {
            throw new ArchiveDamagedException($"The file {table.File.Name} in {store.Location} cannot be read: {missing.Message}", missing);
        }

        if (hash != table.File.Sha256)
            throw Wrong(table.File.Name, $"has the SHA-256 {hash}, and its entry {table.File.Sha256}");
    }

    private ArchiveDamagedException Wrong(string file, string what) => new($"The file {file} in {store.Location} {what}.");
}

/// <summary>What a check has looked at.</summary>
/// <param name="Ranges">Ranges.</param>
/// <param name="Records">Their records.</param>
/// <param name="Compared">Those of them that are in the topic too.</param>
/// <param name="Tables">Tables of event types.</param>
/// <param name="Bytes">The bytes of all files.</param>
internal readonly record struct ArchiveCheckFigures(long Ranges, long Records, long Compared, long Tables, long Bytes)
{
    /// <summary>Both together.</summary>
    public static ArchiveCheckFigures operator +(ArchiveCheckFigures one, ArchiveCheckFigures other) => new(one.Ranges + other.Ranges,
        one.Records + other.Records, one.Compared + other.Compared, one.Tables + other.Tables, one.Bytes + other.Bytes);

    /// <summary>One range more.</summary>
    public ArchiveCheckFigures With(RangeSummary range, ArchivedRange entry, long records, long compared) =>
        this + new ArchiveCheckFigures(1, records, compared, entry.Tables.Count, range.Events.Bytes + range.TableBytes);
}
