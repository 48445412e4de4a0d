using Confluent.Kafka;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;

namespace KafkaEventSourcing.Hosting.Archiving;

/// <summary>
/// Looks at all that the events of one aggregate type must have passed before they may leave their topic. What has not begun to read them
/// has passed none. Calls block. Not thread-safe.
/// </summary>
internal sealed class RetentionMarks : IDisposable
{
    /// <summary>The name of the mark of the snapshots.</summary>
    public const string Snapshots = "snapshots";

    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(15);

    private readonly TopicFamily _topics;
    private readonly ArchiveReader _archive;
    private readonly ArchiveOptions _options;
    private readonly SnapshotCoverage _snapshots;
    private readonly Func<int, CancellationToken, IEnumerable<RetentionMark>> _readModels;
    private readonly IReadOnlyList<string> _groups;
    private readonly TimeProvider _time;
    private readonly IAdminClient _admin;
    private readonly PartitionLogReader _log;

    /// <param name="topics">The topics of the aggregate type.</param>
    /// <param name="kafka">The cluster.</param>
    /// <param name="archive">Reads what is archived.</param>
    /// <param name="options">How long events stay in the topic.</param>
    /// <param name="snapshots">Tells how far the snapshots reach.</param>
    /// <param name="readModels">The marks of the read models in a partition.</param>
    /// <param name="groups">Groups that must have passed events also where they have not begun.</param>
    /// <param name="time">The clock.</param>
    public RetentionMarks(TopicFamily topics, KafkaConnection kafka, ArchiveReader archive, ArchiveOptions options,
        SnapshotCoverage snapshots, Func<int, CancellationToken, IEnumerable<RetentionMark>> readModels, IReadOnlyList<string> groups,
        TimeProvider time)
    {
        (_topics, _archive, _options, _snapshots, _readModels, _groups, _time) =
            (topics, archive, options, snapshots, readModels, groups, time);
        _admin = kafka.BuildAdmin();
        _log = PartitionLogReader.ToEnd(kafka with { Cold = null }, "retention");
    }

    /// <summary>How it is with a partition now.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    /// <exception cref="ArchiveDamagedException">The archive is not whole.</exception>
    /// <exception cref="IOException">The archive cannot be read.</exception>
    /// <exception cref="HttpRequestException">The Schema Registry does not answer.</exception>
    public PartitionRetention Of(int partition, CancellationToken cancellationToken)
    {
        var place = new TopicPartition(_topics.Events, partition);
        WatermarkOffsets bounds = _log.Bounds(place, cancellationToken);
        IReadOnlyList<RangeSummary> ranges = _archive.RangesOf(place, cancellationToken);
        var marks = new List<RetentionMark>
        {
            new("archive", ranges is [.., var last] ? last.End : null), new(Snapshots, _snapshots.Of(partition, cancellationToken)),
        };
        marks.AddRange(_readModels(partition, cancellationToken));
        IReadOnlyDictionary<string, IReadOnlyDictionary<TopicPartition, long>> groups =
            TopicGroups.Committed(_admin, [place], RequestTimeout, cancellationToken);
        marks.AddRange(_groups.Where(g => !groups.ContainsKey(g)).Select(g => new RetentionMark($"group {g}", null)));
        marks.AddRange(groups.Where(g => g.Key != _topics.ProjectionsGroup)
            .Select(g => new RetentionMark($"group {g.Key}", g.Value[place])));
        return new PartitionRetention(partition, bounds.Low.Value, bounds.High.Value,
            new ArchivedAmount(ranges.Count, ranges.Sum(r => r.Records), ranges.Sum(r => r.RecordBytes), ranges.Sum(r => r.Events.Bytes),
                ranges.Sum(r => r.TableBytes)),
            DueTo(ranges, bounds.Low.Value), marks);
    }

    /// <summary>The ranges of a partition that may leave the topic: those that are due and that everything has passed.</summary>
    public IReadOnlyList<RangeSummary> Leaving(PartitionRetention status, CancellationToken cancellationToken)
    {
        long to = Math.Min(status.DueTo, status.Last?.Next ?? 0);
        return [.. _archive.RangesOf(new TopicPartition(_topics.Events, status.Partition), cancellationToken)
            .Where(r => r.End > status.Start && r.End <= to)];
    }

    /// <summary>Takes the events before <paramref name="offset"/> out of the topic.</summary>
    /// <exception cref="KafkaException">The cluster refuses it.</exception>
    public void Delete(int partition, long offset) =>
        _admin.DeleteRecordsAsync([new TopicPartitionOffset(_topics.Events, partition, offset)]).GetAwaiter().GetResult();

    /// <inheritdoc/>
    public void Dispose()
    {
        _admin.Dispose();
        _log.Dispose();
    }

    // Whole ranges: the oldest first, as none leaves before those that are older.
    private long DueTo(IReadOnlyList<RangeSummary> ranges, long start)
    {
        long due = start;
        long newest = _options.HotFor is { } age ? _time.GetUtcNow().ToUnixTimeMilliseconds() - (long)age.TotalMilliseconds : long.MinValue;
        long bytes = _options.HotBytes is null ? 0 : ranges.Where(r => r.End > start).Sum(r => r.RecordBytes);
        foreach (RangeSummary range in ranges.Where(r => r.End > start))
        {
            if (range.LastTimestamp >= newest && (_options.HotBytes is not { } most || bytes <= most))
                break;
            due = range.End;
            bytes -= range.RecordBytes;
        }

        return due;
    }
}
