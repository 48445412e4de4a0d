using System.Globalization;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Reads partitions with a consumer of its own, read-committed and as a member of no group: to the end as it is at the start
/// (<see cref="Read(TopicPartition, long, CancellationToken)"/>), or on and on (<see cref="Next"/>). The calls block: they belong to a
/// thread that may, or to <see cref="ReadAsync"/>, which brings its own. Not thread-safe, but for <see cref="Add"/> and
/// <see cref="Remove"/>.
/// </summary>
/// <remarks>
/// Kafka answers a commit before its marker is in each partition, and until then a read-committed reader is given an end before the
/// transaction: what was answered already would be missed. The end is the one of all records therefore, and what is open there is waited
/// for.
/// </remarks>
internal sealed class PartitionLogReader : IDisposable
{
    private const int PlaceFetchBytes = 64 * 1024;
    private const int NearBy = 100; // records that are read through rather than sought: one fetch has more
    // a transaction that is open for longer has lost its writer: nothing of it has been answered
    private static readonly TimeSpan OpenPatience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    private readonly IConsumer<byte[], byte[]> _consumer;
    private readonly bool _isExact;
    private readonly ColdRecords? _cold;
    private bool _waitsForOpen = true;

    private PartitionLogReader(KafkaConnection connection, ConsumerConfig config, bool isExact, ILogger? logger)
    {
        (_isExact, _cold) = (isExact, connection.Cold is { } cold ? new ColdRecords(cold) : null);
        if (isExact)
            config.AutoOffsetReset = AutoOffsetReset.Error;
        _consumer = new ConsumerBuilder<byte[], byte[]>(config)
            .SetLogHandler((_, line) =>
            {
                if (logger is not null)
                    KafkaConnection.Log(logger, line);
            })
            .SetErrorHandler((_, _) => { })
            .Build();
    }

    /// <summary>For how long a leader is asked that does not serve its partition yet. 15 seconds.</summary>
    public TimeSpan Patience { get; private set; } = TimeSpan.FromSeconds(15);

    /// <summary>For how long a cluster may give neither a record nor the end of the partition before a read fails. Two minutes.</summary>
    public TimeSpan Silence { get; private set; } = TimeSpan.FromMinutes(2);

    /// <summary>The handle of the client, for an admin client that shares its connections.</summary>
    public Handle Handle => _consumer.Handle;

    /// <summary>A reader of what is there.</summary>
    /// <param name="connection">The cluster.</param>
    /// <param name="name">What brokers know it as.</param>
    /// <param name="isExact">Whether an offset that the partition does not have (any more) is an error; else what is there is read.</param>
    /// <param name="silence">What <see cref="Silence"/> is; null: the default.</param>
    /// <param name="patience">What <see cref="Patience"/> is; null: the default.</param>
    /// <param name="waitsForOpen">Whether what is open is waited for; else the end is before the first open transaction, as for a reader to
    /// whom nothing of it was answered.</param>
    public static PartitionLogReader ToEnd(KafkaConnection connection, string name, bool isExact = false, TimeSpan? silence = null,
        TimeSpan? patience = null, bool waitsForOpen = true)
    {
        ConsumerConfig config = connection.BoundedReader(name);
        if (connection.Cold is not null)
            config.AutoOffsetReset = AutoOffsetReset.Error; // what leaves the topic meanwhile is read from the cold tier
        var reader = new PartitionLogReader(connection, config, isExact, null) { _waitsForOpen = waitsForOpen };
        (reader.Silence, reader.Patience) = (silence ?? reader.Silence, patience ?? reader.Patience);
        return reader;
    }

    /// <summary>A reader of what is there and of what comes.</summary>
    /// <param name="connection">The cluster.</param>
    /// <param name="name">What brokers know it as.</param>
    /// <param name="logger">Gets the client's log lines; null: nobody does.</param>
    /// <param name="isExact">Whether an offset that the partition does not have (any more) is an error; else the first that it has is
    /// read.</param>
    /// <param name="withEnds">Whether <see cref="Next"/> returns an end of the partition too, each time that it is reached.</param>
    /// <param name="withHeaders">Whether records have headers and timestamps.</param>
    public static PartitionLogReader Tailing(KafkaConnection connection, string name, ILogger? logger = null, bool isExact = false,
        bool withEnds = false, bool withHeaders = true)
    {
        ConsumerConfig config = connection.Consumer(name);
        config.EnablePartitionEof = withEnds;
        if (!withHeaders)
            config.ConsumeResultFields = "none";
        return new PartitionLogReader(connection, config, isExact, logger);
    }

    /// <summary>A reader of single records (<see cref="ReadAt"/>): it fetches little at a time.</summary>
    public static PartitionLogReader AtPlaces(KafkaConnection connection, string name)
    {
        ConsumerConfig config = connection.BoundedReader(name);
        config.MaxPartitionFetchBytes = PlaceFetchBytes; // one batch comes at least, however large
        return new PartitionLogReader(connection, config, isExact: true, null);
    }

    /// <summary>The committed records of one partition, in order, by a reader of its own.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public static IEnumerable<ConsumeResult<byte[], byte[]>> Read(
        KafkaConnection connection, string name, TopicPartition source, long fromOffset, CancellationToken cancellationToken)
    {
        using PartitionLogReader reader = ToEnd(connection, name);
        foreach (ConsumeResult<byte[], byte[]> record in reader.Read(source, fromOffset, cancellationToken))
            yield return record;
    }

    /// <summary>
    /// Those of them before <paramref name="toOffset"/> that have <paramref name="key"/>; of what has left the topic no others are read.
    /// </summary>
    /// <inheritdoc cref="Read(KafkaConnection, string, TopicPartition, long, CancellationToken)"/>
    public static IEnumerable<ConsumeResult<byte[], byte[]>> ReadKey(KafkaConnection connection, string name, TopicPartition source,
        byte[] key, long fromOffset, long toOffset, CancellationToken cancellationToken)
    {
        using PartitionLogReader reader = ToEnd(connection, name);
        foreach (ConsumeResult<byte[], byte[]> record in reader.ReadKey(source, key, fromOffset, toOffset, cancellationToken))
            yield return record;
    }

    /// <summary>The records of one partition, on a thread of its own, which is a bounded number of records ahead.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public static IAsyncEnumerable<ConsumeResult<byte[], byte[]>> ReadAsync(
        KafkaConnection connection, string name, TopicPartition source, long fromOffset, CancellationToken cancellationToken) =>
        RecordsAhead.ReadAsync(stop => Read(connection, name, source, fromOffset, stop), cancellationToken);

    /// <summary>
    /// The first offset of <paramref name="partition"/>, be it in the topic or in the cold tier, and its end, before what is not committed
    /// yet.
    /// </summary>
    /// <exception cref="KafkaException">There is no answer; the error's reason names the partition, its leader, and what Kafka
    /// said.</exception>
    /// <exception cref="ArchiveDamagedException">The cold tier does not reach to where the topic begins.</exception>
    public WatermarkOffsets Bounds(TopicPartition partition, CancellationToken cancellationToken)
    {
        WatermarkOffsets hot = HotBounds(partition, cancellationToken);
        return new WatermarkOffsets(_cold?.StartOf(partition, hot.Low.Value, cancellationToken) ?? hot.Low.Value, hot.High);
    }

    /// <summary>The same of what is in the topic itself.</summary>
    /// <inheritdoc cref="Bounds"/>
    public WatermarkOffsets HotBounds(TopicPartition partition, CancellationToken cancellationToken) =>
        PartitionOffsets.Query(_consumer, partition, Patience, cancellationToken);

    /// <summary>
    /// The offset of the first record of <paramref name="partition"/> that is not older than <paramref name="time"/>; negative when there
    /// is none.
    /// </summary>
    /// <exception cref="KafkaException">There is no answer; the error's reason names the partition, its leader, and what Kafka
    /// said.</exception>
    public long OffsetAt(TopicPartition partition, DateTimeOffset time, CancellationToken cancellationToken) =>
        _cold is not null && HotBounds(partition, cancellationToken).Low.Value is > 0 and var hot
            && _cold.OffsetAt(partition, time, hot, cancellationToken) is { } cold
            ? cold
            : PartitionOffsets.At(_consumer, [new TopicPartitionTimestamp(partition, new Timestamp(time))], Patience,
                cancellationToken)[partition];

    /// <summary>
    /// The end of <paramref name="partition"/> once nothing is open there, as its only writer sees it after an abort: Kafka answers that
    /// before the markers are in the partitions, and they take offsets too.
    /// </summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public long SettledEnd(TopicPartition partition, CancellationToken cancellationToken)
    {
        _consumer.Assign(new TopicPartitionOffset(partition, Bounds(partition, cancellationToken).High));
        long reached = -1;
        while (true)
        {
            ConsumeResult<byte[], byte[]>? record = _consumer.Consume(PollInterval);
            cancellationToken.ThrowIfCancellationRequested();
            if (record is not null)
                reached = record.IsPartitionEOF ? record.Offset.Value : -1;
            if (reached >= 0 && KnownEnd(partition) is >= 0 and var end && reached >= end)
                return reached;
        }
    }

    /// <summary>
    /// The committed records of <paramref name="source"/> from <paramref name="fromOffset"/> on (0: from the first), in order, to its end
    /// at the time of the call: those that have left the topic from the cold tier.
    /// </summary>
    /// <exception cref="ConsumeException">The reader is exact and the partition does not have the offset.</exception>
    /// <exception cref="ArchiveDamagedException">What has left the topic is not in the cold tier, or damaged there.</exception>
    /// <exception cref="KafkaException">The cluster does not answer; the error's reason names the partition.</exception>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition source, long fromOffset, CancellationToken cancellationToken) =>
        _cold is null
            ? ReadHot(source, fromOffset, HotBounds(source, cancellationToken), cancellationToken)
            : ReadBoth(source, fromOffset, long.MaxValue, (cold, next) => cold.Read(source, next, cancellationToken), cancellationToken);

    /// <summary>
    /// Those of them before <paramref name="toOffset"/> that have <paramref name="key"/>; of what has left the topic no others are read.
    /// </summary>
    /// <inheritdoc cref="Read(TopicPartition, long, CancellationToken)"/>
    public IEnumerable<ConsumeResult<byte[], byte[]>> ReadKey(TopicPartition source, byte[] key, long fromOffset, long toOffset,
        CancellationToken cancellationToken) =>
        (_cold is null
            ? Read(source, fromOffset, cancellationToken)
            : ReadBoth(source, fromOffset, toOffset, (cold, next) => cold.ReadKey(source, key, next, cancellationToken),
                cancellationToken))
        .TakeWhile(record => record.Offset.Value < toOffset)
        .Where(record => record.Message.Key.AsSpan().SequenceEqual(key));

    // Retention goes on meanwhile: what is gone from the topic when it is due is in the cold tier by then.
    private IEnumerable<ConsumeResult<byte[], byte[]>> ReadBoth(TopicPartition source, long fromOffset, long toOffset,
        Func<ColdRecords, long, IEnumerable<ConsumeResult<byte[], byte[]>>> read, CancellationToken cancellationToken)
    {
        long next = fromOffset;
        while (true)
        {
            WatermarkOffsets hot = HotBounds(source, cancellationToken);
            if (next < hot.Low.Value
                && _cold!.StartOf(source, hot.Low.Value, cancellationToken) is { } start && (next >= start || !_isExact))
            {
                next = Math.Max(next, start);
                long end = _cold.EndOf(source, cancellationToken);
                foreach (ConsumeResult<byte[], byte[]> record in read(_cold, next).TakeWhile(r => r.Offset.Value < end))
                    yield return record;
                next = end;
                if (next >= toOffset)
                    yield break;
            }

            using IEnumerator<ConsumeResult<byte[], byte[]>> records = ReadHot(source, next, hot, cancellationToken).GetEnumerator();
            while (true)
            {
                try
                {
                    if (!records.MoveNext())
                        yield break;
                }
                catch (ConsumeException gone) when (gone.Error.Code == ErrorCode.Local_AutoOffsetReset
                    && HotBounds(source, cancellationToken).Low.Value is var low && next < low
                    && (!_isExact || next >= _cold!.StartOf(source, low, cancellationToken)))
                {
                    break;
                }

                next = records.Current.Offset.Value + 1;
                yield return records.Current;
            }
        }
    }

    private IEnumerable<ConsumeResult<byte[], byte[]>> ReadHot(TopicPartition source, long fromOffset, WatermarkOffsets committed,
        CancellationToken cancellationToken)
    {
        long next = _isExact
            ? fromOffset
            : Math.Clamp(fromOffset, committed.Low.Value, Math.Max(committed.Low.Value, committed.High.Value));
        _consumer.Assign(new TopicPartitionOffset(source, next));
        long end = -1; // not known
        long reached = -1; // where the end of what is committed was met
        bool isOpen = false;
        long? quietSince = null;
        while (true)
        {
            ConsumeResult<byte[], byte[]>? record = _consumer.Consume(PollInterval);
            cancellationToken.ThrowIfCancellationRequested();
            if (end < 0 && (record is not null || reached >= 0))
            {
                // of the answer that this record, or this end, came with, or of a later one
                end = KnownEnd(source);
                isOpen = end >= 0 && reached >= 0;
            }

            if (record is null)
            {
                if (end >= 0 && reached >= end)
                    yield break;
                TimeSpan quiet = TimeProvider.System.GetElapsedTime(quietSince ??= TimeProvider.System.GetTimestamp());
                if (isOpen && quiet > OpenPatience)
                    yield break;
                if (!isOpen && quiet > Silence)
                    throw Silent(source, next);
                continue;
            }

            if (end >= 0 && record.Offset.Value >= end)
                yield break;
            if (record.IsPartitionEOF)
            {
                if (!_waitsForOpen && record.Offset >= committed.High)
                    yield break;
                (reached, isOpen) = (record.Offset.Value, end >= 0);
                continue;
            }

            (reached, isOpen, quietSince) = (-1, false, null);
            next = record.Offset.Value + 1;
            if (record.Offset.Value >= fromOffset)
                yield return record;
            if (next == end)
                yield break;
        }
    }

    /// <summary>The committed records of <paramref name="source"/> at <paramref name="offsets"/>, which ascend.</summary>
    /// <exception cref="InvalidDataException">There is no committed record at one of them.</exception>
    /// <exception cref="ConsumeException">The partition does not have the offset (any more).</exception>
    /// <exception cref="KafkaException">The cluster does not answer; the error's reason names the partition.</exception>
    public IEnumerable<ConsumeResult<byte[], byte[]>> ReadAt(TopicPartition source, IEnumerable<long> offsets,
        CancellationToken cancellationToken)
    {
        long next = -1;
        long hot = _cold is null ? 0 : HotBounds(source, cancellationToken).Low.Value;
        foreach (long offset in offsets)
        {
            if (offset < hot)
            {
                yield return _cold!.ReadAt(source, offset, cancellationToken);
                continue;
            }

            if (next < 0)
                _consumer.Assign(new TopicPartitionOffset(source, offset));
            else if (offset - next > NearBy)
                _consumer.Seek(new TopicPartitionOffset(source, offset));
            yield return At(source, offset, cancellationToken);
            next = offset + 1;
        }
    }

    private ConsumeResult<byte[], byte[]> At(TopicPartition source, long offset, CancellationToken cancellationToken)
    {
        long since = TimeProvider.System.GetTimestamp();
        while (true)
        {
            ConsumeResult<byte[], byte[]>? record = _consumer.Consume(PollInterval);
            cancellationToken.ThrowIfCancellationRequested();
            if (record is { IsPartitionEOF: false } && record.Offset.Value >= offset)
                return record.Offset.Value == offset ? record : throw new InvalidDataException(
                    $"There is no committed record at {source.Topic} {source.Partition.Value}@{offset}; the next is at {record.Offset}.");
            // An end before the record: the marker of its transaction comes a moment after the answer to its commit.
            if (record is null or { IsPartitionEOF: true } && TimeProvider.System.GetElapsedTime(since) > Silence)
                throw Silent(source, offset);
        }
    }

    /// <summary>From now on <see cref="Next"/> returns what is at <paramref name="places"/> and behind them.</summary>
    public void Begin(params IEnumerable<TopicPartitionOffset> places) => _consumer.Assign(places);

    /// <summary>Another partition is read too. Thread-safe.</summary>
    public void Add(TopicPartitionOffset place) => _consumer.IncrementalAssign([place]);

    /// <summary>A partition is not read any more. Thread-safe.</summary>
    public void Remove(TopicPartition partition) => _consumer.IncrementalUnassign([partition]);

    /// <summary>The next record, or the end of a partition; waits until there is one.</summary>
    /// <exception cref="ConsumeException">It cannot be read now. Where the error passes (<see cref="KafkaPatience.IsPassing"/>) the same
    /// reader goes on.</exception>
    public ConsumeResult<byte[], byte[]> Next(CancellationToken cancellationToken) => _consumer.Consume(cancellationToken);

    /// <summary>What <see cref="Next"/> returns, on and on; errors that pass are told to <paramref name="passing"/>.</summary>
    /// <exception cref="ConsumeException">The cluster refuses this client for good.</exception>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Follow(Action<Error> passing, CancellationToken cancellationToken)
    {
        while (true)
        {
            ConsumeResult<byte[], byte[]> record;
            try
            {
                record = _consumer.Consume(cancellationToken);
            }
            catch (ConsumeException away) when (KafkaPatience.IsPassing(away.Error))
            {
                passing(away.Error);
                continue;
            }

            yield return record;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _consumer.Dispose();

    // The end of all records, as the last answer said it; negative while none has. A partition whose end is not known is not an empty one.
    private long KnownEnd(TopicPartition partition) => _consumer.GetWatermarkOffsets(partition).High.Value;

    private KafkaException Silent(TopicPartition source, long next) => new(new Error(
        ErrorCode.Local_TimedOut,
        string.Create(CultureInfo.InvariantCulture,
            $"{source.Topic}, partition {source.Partition.Value}, cannot be read from offset {next} on: neither a record nor its end has "
                + $"come within {Silence.TotalSeconds:0.#} s.")));
}
