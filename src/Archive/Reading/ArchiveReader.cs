using System.Collections.Concurrent;
using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// The events that an archive has, as readers of the log read them (<see cref="KafkaConnection.Cold"/>). A file that is read as a whole is
/// compared with the hash in its entry before the first record of it is returned; of one that is read in parts, for one aggregate, each
/// part has a checksum. A range that is missing, doubled or damaged ends the reading. Thread-safe.
/// </summary>
/// <param name="store">Where the archive is.</param>
/// <param name="families">The aggregate types whose events are archived there.</param>
/// <param name="topicId">The id of a topic as it is now, of which alone events are read; null: of whatever topic they are.</param>
internal sealed class ArchiveReader(IArchiveStore store, IEnumerable<TopicFamily> families,
    Func<string, CancellationToken, TopicId>? topicId = null) : IColdTier
{
    private readonly Dictionary<string, ArchiveLayout> _layouts = families.ToDictionary(f => f.Events, f => new ArchiveLayout(f));
    private readonly ConcurrentDictionary<TopicPartition, PartitionManifest> _manifests = new();

    /// <inheritdoc/>
    public PartitionExtent? ExtentOf(TopicPartition partition, CancellationToken cancellationToken) =>
        RangesOf(partition, cancellationToken) is { Count: > 0 } ranges ? new PartitionExtent(ranges[0].Start, ranges[^1].End) : null;

    /// <inheritdoc/>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition partition, long fromOffset, CancellationToken cancellationToken)
    {
        foreach (RangeSummary range in RangesFrom(partition, fromOffset, cancellationToken))
        {
            foreach (ConsumeResult<byte[], byte[]> record in ReadRange(partition, range, fromOffset, cancellationToken))
                yield return record;
        }
    }

    /// <inheritdoc/>
    public IEnumerable<ConsumeResult<byte[], byte[]>> ReadKey(TopicPartition partition, byte[] key, long fromOffset,
        CancellationToken cancellationToken)
    {
        foreach (RangeSummary range in RangesFrom(partition, fromOffset, cancellationToken))
        {
            using var file = new ArchiveStream(store, range.Events.Name, range.Events.Bytes);
            foreach (ConsumeResult<byte[], byte[]> record in Guard(range, file, () =>
                EventFile.ReadKey(file, partition, key, fromOffset, cancellationToken)))
                yield return record;
        }
    }

    /// <inheritdoc/>
    public long? OffsetAt(TopicPartition partition, DateTimeOffset time, CancellationToken cancellationToken)
    {
        long milliseconds = time.ToUnixTimeMilliseconds();
        foreach (RangeSummary range in RangesOf(partition, cancellationToken).Where(r => r.LastTimestamp >= milliseconds))
        {
            foreach (ConsumeResult<byte[], byte[]> record in ReadRange(partition, range, range.Start, cancellationToken))
            {
                if (record.Message.Timestamp.UnixTimestampMs >= milliseconds)
                    return record.Offset.Value;
            }
        }

        return null;
    }

    /// <summary>The ranges of a partition.</summary>
    /// <exception cref="ArchiveDamagedException">The manifest is not whole, or is of another topic.</exception>
    /// <exception cref="IOException">The archive cannot be read.</exception>
    public IReadOnlyList<RangeSummary> RangesOf(TopicPartition partition, CancellationToken cancellationToken)
    {
        if (!_layouts.TryGetValue(partition.Topic, out ArchiveLayout? layout))
            return [];
        PartitionManifest manifest = _manifests.GetOrAdd(partition, static (place, reader) =>
            new PartitionManifest(reader.Store, reader.Layout, place.Partition.Value), (Store: store, Layout: layout));
        IReadOnlyList<RangeSummary> ranges = manifest.RefreshAsync(cancellationToken).GetAwaiter().GetResult(); // callers own their threads
        if (ranges.Count > 0 && topicId is not null && TopicId.TryParse(ranges[^1].TopicId, out TopicId archived)
            && topicId(partition.Topic, cancellationToken) is var now && archived.Differs(now))
            throw new ArchiveDamagedException(
                $"The topic {partition.Topic} has the id {now}, and its archive in {store.Location} is of the "
                + $"one with the id {archived}: the topic was deleted and made again. Give the archive of the new one another place.");
        return ranges;
    }

    /// <summary>Compares the file of a range with the hash in its entry.</summary>
    /// <exception cref="ArchiveDamagedException">It is another one, or is not there.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public void Compare(RangeSummary range, CancellationToken cancellationToken) => Load(range, cancellationToken);

    private IEnumerable<RangeSummary> RangesFrom(TopicPartition partition, long fromOffset, CancellationToken cancellationToken) =>
        RangesOf(partition, cancellationToken).Where(r => r.End > fromOffset);

    private IEnumerable<ConsumeResult<byte[], byte[]>> ReadRange(TopicPartition partition, RangeSummary range, long fromOffset,
        CancellationToken cancellationToken)
    {
        using var file = new MemoryStream(Load(range, cancellationToken), writable: false);
        foreach (ConsumeResult<byte[], byte[]> record in Guard(range, null, () =>
            EventFile.Read(file, partition, fromOffset, cancellationToken)))
            yield return record;
    }

    private byte[] Load(RangeSummary range, CancellationToken cancellationToken)
    {
        byte[] content = Guard(range, null, () => ArchiveBytes.Load(store, range.Events, cancellationToken));
        string hash = ArchiveJson.HashOf(content);
        return hash == range.Events.Sha256
            ? content
            : throw Damaged(range, $"has the SHA-256 {hash}, and its entry {range.Events.Sha256}");
    }

    private IEnumerable<ConsumeResult<byte[], byte[]>> Guard(RangeSummary range, ArchiveStream? file,
        Func<IEnumerable<ConsumeResult<byte[], byte[]>>> read)
    {
        using IEnumerator<ConsumeResult<byte[], byte[]>> records = Guard(range, file, () => read().GetEnumerator());
        long next = range.Start;
        while (Guard(range, file, records.MoveNext))
        {
            long offset = records.Current.Offset.Value;
            if (offset < next || offset >= range.End)
                throw Damaged(range, string.Create(CultureInfo.InvariantCulture, $"has the offset {offset} where {next} or more is due"));
            next = offset + 1;
            yield return records.Current;
        }
    }

    private T Guard<T>(RangeSummary range, ArchiveStream? file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception missing) when (missing is FileNotFoundException or EndOfStreamException)
        {
            throw Damaged(range, $"cannot be read: {missing.Message}", missing);
        }
        catch (InvalidDataException damaged)
        {
            // what the library of Parquet could not read may be the store's failure, and no fault of the file
            throw file?.Failure switch
            {
                null => Damaged(range, damaged.Message, damaged),
                FileNotFoundException or EndOfStreamException => Damaged(range, $"cannot be read: {file.Failure.Message}", file.Failure),
                var away => new IOException(away.Message, away),
            };
        }
    }

    private ArchiveDamagedException Damaged(RangeSummary range, string what, Exception? cause = null) => new(string.Create(
        CultureInfo.InvariantCulture,
        $"The file {range.Events.Name} in {store.Location}, which has the events from offset {range.Start} to {range.End}, {what}. "
            + $"Bring back the file as it was."), cause);
}
