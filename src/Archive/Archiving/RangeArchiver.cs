using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// Archives the events of one aggregate type, range by range. A range is planned, its files are written, the events are read back and
/// compared, and only then its entry makes it a part of the archive; whatever crashes in between, whoever goes on makes the same files. Of
/// several who archive one partition at the same time each range is made by one. For one caller at a time.
/// </summary>
internal sealed partial class RangeArchiver : IDisposable
{
    private readonly IArchiveStore _store;
    private readonly ArchiveLayout _layout;
    private readonly ArchiveOptions _options;
    private readonly TypeTables _tables;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly PartitionLogReader _log;
    private readonly Dictionary<int, PartitionManifest> _manifests = [];
    private readonly Dictionary<int, (long Start, long Timestamp)> _oldest = []; // of what waits, by partition
    private double _bytesOfEvent; // as of the last range

    /// <summary>Archives the events of <paramref name="topics"/>.</summary>
    /// <param name="store">Where to.</param>
    /// <param name="connection">The cluster.</param>
    /// <param name="topics">The topics of the aggregate type.</param>
    /// <param name="schemas">The schemas of the values.</param>
    /// <param name="options">How.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public RangeArchiver(IArchiveStore store, KafkaConnection connection, TopicFamily topics, WriterSchemas schemas, ArchiveOptions options,
        TimeProvider time, ILogger logger)
    {
        (_store, _layout, _options, _time, _logger) = (store, new ArchiveLayout(topics), options, time, logger);
        _tables = new TypeTables(schemas);
        // what is in the topic alone is archived, and nothing that is not committed yet
        _log = PartitionLogReader.ToEnd(connection with { Cold = null }, "archive", isExact: true, waitsForOpen: false);
    }

    /// <summary>The manifest of a partition.</summary>
    public PartitionManifest ManifestOf(int partition)
    {
        if (!_manifests.TryGetValue(partition, out PartitionManifest? manifest))
            _manifests.Add(partition, manifest = new PartitionManifest(_store, _layout, partition));
        return manifest;
    }

    /// <summary>Archives the next range of a partition; null: none is due.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="topic">The id of the topic.</param>
    /// <param name="all">Whether what there is is due, however little and young.</param>
    /// <param name="cancellationToken">Ends it; the range is begun again later.</param>
    /// <exception cref="ArchiveDamagedException">The archive is not whole, or is of another log than the topic.</exception>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    /// <exception cref="HttpRequestException">The Schema Registry does not answer.</exception>
    /// <exception cref="IOException">The archive cannot be read or written.</exception>
    public async Task<ArchivedRange?> ArchiveNextAsync(int partition, TopicId topic, bool all, CancellationToken cancellationToken)
    {
        var source = new TopicPartition(_layout.Topic, partition);
        IReadOnlyList<RangeSummary> ranges = await ManifestOf(partition).RefreshAsync(cancellationToken).ConfigureAwait(false);
        RangeSummary? last = ranges is [.., var newest] ? newest : null;
        WatermarkOffsets bounds = _log.Bounds(source, cancellationToken);
        if (last is not null)
            CheckLog(source, last, topic, bounds);
        long start = last?.End ?? bounds.Low.Value;
        if (bounds.High.Value <= start)
            return null;
        string name = _layout.PlanOf(partition, start);
        RangePlan? plan = await ReadPlan(name, start, topic, cancellationToken).ConfigureAwait(false);
        if (plan is null && !all && !MayBeDue(partition, start, bounds.High.Value))
            return null;
        RangeRecords records = Collect(source, start, plan?.End, cancellationToken);
        if (plan is null)
        {
            if (records.Records.Count == 0)
                return null;
            _oldest[partition] = (start, records.FirstTimestamp);
            if (!all && !IsFull(records) && Age(records.FirstTimestamp) < _options.RangeAge)
                return null;
            var made = new RangePlan { TopicId = topic.ToString(), Start = start, End = records.End, Dates = _options.Dates };
            if (!await CreateAsync(name, ArchiveJson.ToUtf8(made), cancellationToken).ConfigureAwait(false))
                return await ArchiveNextAsync(partition, topic, all, cancellationToken).ConfigureAwait(false); // somebody else's counts
            plan = made;
        }

        return await WriteRange(source, plan, records, last?.Hash, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _log.Dispose();

    private void CheckLog(TopicPartition source, RangeSummary last, TopicId topic, WatermarkOffsets bounds)
    {
        if (TopicId.TryParse(last.TopicId, out TopicId archived) && archived.Differs(topic))
            throw new ArchiveDamagedException(
                $"The topic {source.Topic} has the id {topic}, and its archive in {_store.Location} is of the "
                + $"one with the id {archived}: the topic was deleted and made again. Give the archive of the new one another place.");
        if (bounds.High.Value < last.End)
            throw new ArchiveDamagedException(string.Create(CultureInfo.InvariantCulture,
                $"The topic {source.Topic} ends at offset {bounds.High.Value} in partition {source.Partition.Value}, and its archive in "
                    + $"{_store.Location} at {last.End}: the topic has lost events."));
        if (bounds.Low.Value > last.End)
            throw new ArchiveDamagedException(string.Create(CultureInfo.InvariantCulture,
                $"The topic {source.Topic} begins at offset {bounds.Low.Value} in partition {source.Partition.Value}, and its archive in "
                    + $"{_store.Location} ends at {last.End}: the events between were deleted, or entries of the archive are missing."));
    }

    private async Task<RangePlan?> ReadPlan(string name, long start, TopicId topic, CancellationToken cancellationToken)
    {
        if (await ArchiveJson.FindAsync(_store, name, cancellationToken).ConfigureAwait(false) is not { } content)
            return null;
        RangePlan plan = ArchiveJson.Read<RangePlan>(name, _store.Location, content);
        return plan.Format == RangePlan.CurrentFormat && plan.Start == start && plan.End > start && plan.TopicId == topic.ToString()
            ? plan
            : throw new ArchiveDamagedException($"The plan {name} in {_store.Location} is of the format {plan.Format} and of the offsets "
                + $"from {plan.Start} to {plan.End} of the topic with the id "
                + $"'{plan.TopicId}': it is not of this log. No file that it plans "
                + "is in the archive; remove it.");
    }

    // A look at the offsets spares the reading of what is not due yet.
    private bool MayBeDue(int partition, long start, long end) =>
        end - start >= _options.RangeEvents
        || (end - start) * _bytesOfEvent >= _options.RangeBytes
        || !_oldest.TryGetValue(partition, out (long Start, long Timestamp) oldest)
        || oldest.Start != start
        || Age(oldest.Timestamp) >= _options.RangeAge;

    private TimeSpan Age(long timestamp) =>
        TimeSpan.FromMilliseconds(_time.GetUtcNow().ToUnixTimeMilliseconds() - timestamp);

    private bool IsFull(RangeRecords records) => records.Records.Count >= _options.RangeEvents || records.Bytes >= _options.RangeBytes;

    // To the end of the plan, or until a range is full.
    private RangeRecords Collect(TopicPartition source, long start, long? end, CancellationToken cancellationToken)
    {
        var records = new RangeRecords();
        foreach (ConsumeResult<byte[], byte[]> record in _log.Read(source, start, cancellationToken))
        {
            if (record.Offset.Value >= end)
                break;
            records.Add(record);
            if (end is null && IsFull(records))
                break;
        }

        return records;
    }

    private async Task<ArchivedRange> WriteRange(TopicPartition source, RangePlan plan, RangeRecords records, string? previous,
        CancellationToken cancellationToken)
    {
        if (records.Records.Count == 0)
            throw new ArchiveDamagedException(string.Create(CultureInfo.InvariantCulture,
                $"The records of {source.Topic}, partition {source.Partition.Value}, from {plan.Start} to {plan.End} were planned to be "
                    + $"archived in {_store.Location}, and the topic does not have any of them."));
        long started = _time.GetTimestamp();
        int partition = source.Partition.Value;
        RangeTables tables = await _tables.Divide(records.Records, plan.Dates, cancellationToken).ConfigureAwait(false);
        string entryName = _layout.EntryOf(partition, plan.Start);
        ArchivedFile? events = await Write(_layout.EventsOf(partition, plan.Start, plan.End), entryName,
            file => EventFile.Write(file, source, records.Records, tables.Rows), cancellationToken).ConfigureAwait(false);
        var typed = new List<ArchivedTable>();
        foreach (TypeTable table in tables.Tables)
        {
            ArchivedFile? file = await Write(_layout.TypeOf(table.Type, table.Date, partition, plan.Start, plan.End, table.Schema),
                entryName, table.WriteTo, cancellationToken).ConfigureAwait(false);
            if (events is null || file is null)
                return await Other(source, plan, cancellationToken).ConfigureAwait(false);
            if (file.Rows > 0)
                typed.Add(new ArchivedTable(table.Type, table.Date, table.Schema, file));
        }

        if (events is null)
            return await Other(source, plan, cancellationToken).ConfigureAwait(false);
        using (var stored = new MemoryStream(ArchiveBytes.Load(_store, events, cancellationToken), writable: false))
        {
            if (records.DifferenceFrom(EventFile.Read(stored, source, plan.Start, cancellationToken)) is { } difference)
                throw new ArchiveDamagedException($"The file {events.Name} in {_store.Location} was read back and does not have what is in "
                    + $"{source.Topic}: {difference}. Nothing leaves the topic for it.");
        }

        var entry = new ArchivedRange
        {
            Topic = source.Topic,
            TopicId = plan.TopicId,
            Partition = partition,
            Start = plan.Start,
            End = plan.End,
            Records = records.Records.Count,
            Untyped = records.Records.Count - typed.Sum(t => t.File.Rows),
            RecordBytes = records.RecordBytes,
            FirstTimestamp = records.FirstTimestamp,
            LastTimestamp = records.LastTimestamp,
            Events = events,
            Tables = typed,
            Schemas = tables.Schemas,
            Previous = previous,
        };
        if (!await CreateAsync(entryName, ArchiveJson.ToUtf8(entry), cancellationToken).ConfigureAwait(false))
            return await Other(source, plan, cancellationToken).ConfigureAwait(false);
        await ManifestOf(partition).RefreshAsync(cancellationToken).ConfigureAwait(false);
        _bytesOfEvent = (double)records.Bytes / records.Records.Count;
        LogArchived(_logger, source.Topic, partition, plan.Start, plan.End, entry.Records, events.Bytes, typed.Count,
            _time.GetElapsedTime(started).TotalMilliseconds);
        return entry;
    }

    private async Task<ArchivedRange> Other(TopicPartition source, RangePlan plan, CancellationToken cancellationToken)
    {
        LogOther(_logger, source.Topic, source.Partition.Value, plan.Start, plan.End);
        PartitionManifest manifest = ManifestOf(source.Partition.Value);
        IReadOnlyList<RangeSummary> ranges = await manifest.RefreshAsync(cancellationToken).ConfigureAwait(false);
        return await manifest.EntryOf(ranges.First(r => r.Start == plan.Start), cancellationToken).ConfigureAwait(false);
    }

    // What is there already was written by who crashed before the entry, or by who is at it right now: it is the same, or, as another
    // version made it, of no entry. Null: there is an entry, by somebody else. A file without rows is not written.
    private async Task<ArchivedFile?> Write(string name, string entryName, Func<Stream, long> write, CancellationToken cancellationToken)
    {
        using var content = new MemoryStream();
        if (write(content) is var rows && rows == 0)
            return new ArchivedFile(name, 0, "", 0);
        ReadOnlyMemory<byte> bytes = content.GetBuffer().AsMemory(0, (int)content.Length);
        string hash = ArchiveJson.HashOf(bytes.Span);
        content.Position = 0;
        while (!await _store.TryCreateAsync(name, content, cancellationToken).ConfigureAwait(false))
        {
            if (await _store.FindAsync(entryName, cancellationToken).ConfigureAwait(false) is not null)
                return null;
            if (await ArchiveJson.FindAsync(_store, name, cancellationToken).ConfigureAwait(false) is { } present)
            {
                if (ArchiveJson.HashOf(present) == hash)
                    break;
                LogReplaced(_logger, name, _store.Location);
                await _store.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
            }

            content.Position = 0;
        }

        return new ArchivedFile(name, bytes.Length, hash, rows);
    }

    private async Task<bool> CreateAsync(string name, byte[] content, CancellationToken cancellationToken)
    {
        using var stream = new MemoryStream(content, writable: false);
        return await _store.TryCreateAsync(name, stream, cancellationToken).ConfigureAwait(false);
    }

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Topic}, partition {Partition}, is archived from offset {Start} to {End}: {Records} records in {Bytes} bytes, and "
            + "{Tables} tables, in {Milliseconds:N0} ms")]
    private static partial void LogArchived(ILogger logger, string topic, int partition, long start, long end, long records, long bytes,
        int tables, double milliseconds);

    [LoggerMessage(Level = LogLevel.Information,
        Message = "{Topic}, partition {Partition}, offsets {Start} to {End}: somebody else has archived them at the same time")]
    private static partial void LogOther(ILogger logger, string topic, int partition, long start, long end);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The file {Name} in {Location} is of no entry and not as this version writes it; it is written again")]
    private static partial void LogReplaced(ILogger logger, string name, string location);
}
