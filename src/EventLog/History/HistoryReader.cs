using System.Runtime.CompilerServices;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Reads committed events from the log, up to its end at the time of the call. Each read has a consumer of its own. Thread-safe.
/// </summary>
public sealed class HistoryReader : IEventLogExtents
{
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);

    private readonly KafkaConnection _connection;
    private readonly TopicFamily _topics;
    private readonly AvroMessageSerde _serde;
    private readonly AggregateDefinition? _definition;
    private readonly DiscardedEvents _discarded;

    private string Name => $"{_topics.Application}-history";

    /// <summary>A reader of the events of <paramref name="topics"/>.</summary>
    /// <param name="connection">The cluster.</param>
    /// <param name="topics">The topics of the aggregate type.</param>
    /// <param name="serde">Decodes the events.</param>
    /// <param name="definition">The aggregate type, which says what old events are read as; null: they are read as they are in the
    /// log.</param>
    public HistoryReader(KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde, AggregateDefinition? definition = null)
    {
        (_connection, _topics, _serde, _definition) = (connection, topics, serde, definition);
        _discarded = new DiscardedEvents(connection, topics);
    }

    /// <summary>
    /// The end of every partition: the offset that the next record will have. Records of a transaction that is not committed yet, or whose
    /// commit was answered a moment ago, are before it.
    /// </summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public Task<IReadOnlyDictionary<int, long>> EndOffsetsAsync(CancellationToken cancellationToken = default) =>
        Task.Run<IReadOnlyDictionary<int, long>>(
        async () =>
        {
            using IAdminClient admin = _connection.BuildAdmin();
            TopicPartition[] partitions = [.. TopicPartitions.Of(admin, _topics.Events, MetadataTimeout).Select(p =>
                new TopicPartition(_topics.Events, p))];
            return await PartitionOffsets.ListAsync(admin, partitions, OffsetSpec.Latest(), MetadataTimeout,
                cancellationToken).ConfigureAwait(false);
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<EventLogExtent> ExtentAsync(CancellationToken cancellationToken = default) => Task.Run(
        async () =>
        {
            using IAdminClient admin = _connection.BuildAdmin();
            TopicPartition[] partitions = [.. TopicPartitions.Of(admin, _topics.Events, MetadataTimeout).Select(p =>
                new TopicPartition(_topics.Events, p))];
            // The start first: a log that is cut meanwhile must not seem to end before it begins.
            IReadOnlyDictionary<int, long> starts = await PartitionOffsets.ListAsync(admin, partitions, OffsetSpec.Earliest(),
                MetadataTimeout, cancellationToken).ConfigureAwait(false);
            IReadOnlyDictionary<int, long> ends = await PartitionOffsets.ListAsync(admin, partitions, OffsetSpec.Latest(), MetadataTimeout,
                cancellationToken).ConfigureAwait(false);
            IReadOnlyDictionary<string, TopicId> ids =
                await TopicIds.OfAsync(admin, [_topics.Events], MetadataTimeout, cancellationToken).ConfigureAwait(false);
            ColdRecords? cold = _connection.Cold is { } tier ? new ColdRecords(tier) : null;
            return new EventLogExtent(
                ids.TryGetValue(_topics.Events, out TopicId id) && !id.IsUnknown ? id.ToString() : null,
                starts.Where(s => ends.ContainsKey(s.Key)).ToDictionary(s => s.Key, s => new PartitionExtent(
                    cold?.StartOf(Source(s.Key), s.Value, cancellationToken) ?? s.Value, ends[s.Key])));
        },
        cancellationToken);

    /// <summary>The events of <paramref name="partition"/> from <paramref name="fromOffset"/> on, in offset order.</summary>
    /// <exception cref="InvalidDataException">A record is not an event, or cannot be read. Records that were discarded are passed
    /// over.</exception>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IAsyncEnumerable<RecordedEvent> ReadPartitionAsync(int partition, long fromOffset,
        CancellationToken cancellationToken = default) => ReadPartitionAsync(partition, fromOffset, null, cancellationToken);

    /// <summary>The events of <paramref name="partition"/> from <paramref name="fromOffset"/> on, in offset order.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="fromOffset">Where to begin.</param>
    /// <param name="passedOver">Called with records that were discarded, with those that are read as no event, and with those that cannot
    /// be read, which are passed over too; null: these are thrown.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">A record is not an event, or cannot be read, and nobody learns of it.</exception>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public async IAsyncEnumerable<RecordedEvent> ReadPartitionAsync(int partition, long fromOffset, Action<PassedOverEvent>? passedOver,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        int partitions = (await EndOffsetsAsync(cancellationToken).ConfigureAwait(false)).Count;
        var codec = new EventCodec(_serde, _definition, partitions);
        IReadOnlyDictionary<long, DeadLetterResolution> discarded = await Task.Run(() => _discarded.Of(partition, cancellationToken),
            cancellationToken).ConfigureAwait(false);
        await foreach (ConsumeResult<byte[], byte[]> record in Records(partition, fromOffset, cancellationToken).ConfigureAwait(false))
        {
            if (Decode(record, codec, discarded, passedOver) is not { } stored)
                continue;
            if (stored.Count == 0)
                passedOver?.Invoke(PassedOverEvent.From(record, stored.Head));
            for (int part = 0; part < stored.Count; part++)
                yield return stored[part];
        }
    }

    /// <summary>The events of one aggregate, in the order of their versions.</summary>
    /// <exception cref="InvalidDataException">A record of the aggregate is not an event.</exception>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IAsyncEnumerable<RecordedEvent> ReadAggregateAsync(AggregateId aggregateId, CancellationToken cancellationToken = default) =>
        ReadAggregateAsync(aggregateId, 0, cancellationToken);

    /// <summary>
    /// The events of one aggregate from <paramref name="fromOffset"/> of its partition on, in the order of their versions.
    /// </summary>
    /// <exception cref="InvalidDataException">A record of the aggregate is not an event.</exception>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    internal async IAsyncEnumerable<RecordedEvent> ReadAggregateAsync(
        AggregateId aggregateId, long fromOffset, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        byte[] key = Encoding.UTF8.GetBytes(aggregateId.Value);
        int partitions = (await EndOffsetsAsync(cancellationToken).ConfigureAwait(false)).Count;
        int partition = Murmur2.Partition(key, partitions);
        var codec = new EventCodec(_serde, _definition, partitions);
        IReadOnlyDictionary<long, DeadLetterResolution> discarded = await Task.Run(() => _discarded.Of(partition, cancellationToken),
            cancellationToken).ConfigureAwait(false);
        await foreach (ConsumeResult<byte[], byte[]> record in RecordsAhead.ReadAsync(
            stop => PartitionLogReader.ReadKey(_connection, Name, Source(partition), key, fromOffset, long.MaxValue, stop),
            cancellationToken)
            .ConfigureAwait(false))
        {
            if (Decode(record, codec, discarded, null) is not { } stored)
                continue;
            for (int part = 0; part < stored.Count; part++)
                yield return stored[part];
        }
    }

    // Null: it is passed over.
    private static StoredEvent? Decode(ConsumeResult<byte[], byte[]> record, EventCodec codec,
        IReadOnlyDictionary<long, DeadLetterResolution> discarded, Action<PassedOverEvent>? passedOver)
    {
        if (discarded.Count > 0 && discarded.TryGetValue(record.Offset.Value, out DeadLetterResolution? resolution))
        {
            passedOver?.Invoke(PassedOverEvent.From(codec, record, isDiscarded: true,
                $"It was discarded by {resolution.By}: {resolution.Reason}"));
            return null;
        }

        try
        {
            return codec.Decode(record);
        }
        catch (InvalidDataException unreadable) when (passedOver is not null)
        {
            passedOver(PassedOverEvent.From(codec, record, isDiscarded: false, unreadable.Message));
            return null;
        }
    }

    private IAsyncEnumerable<ConsumeResult<byte[], byte[]>> Records(int partition, long fromOffset, CancellationToken cancellationToken) =>
        PartitionLogReader.ReadAsync(_connection, Name, Source(partition), fromOffset, cancellationToken);

    private TopicPartition Source(int partition) => new(_topics.Events, partition);
}
