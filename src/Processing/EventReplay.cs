using Confluent.Kafka;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Brings the store of one partition to the end of the log.</summary>
internal sealed class EventReplay
{
    /// <summary>The cause of a letter that is an event which cannot be read or folded.</summary>
    public const string Unfoldable = "unfoldable-event";

    /// <summary>The cause of a letter that stands among the events and is none of them: it may be discarded.</summary>
    public const string Foreign = "foreign-record";

    private const int WriteEvery = 5_000;
    private const long WriteEveryBytes = 8 * 1024 * 1024; // of events, and of the aggregates that they change
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);

    private readonly KafkaConnection _connection;
    private readonly TopicPartition _partition;
    private readonly Func<ConsumeResult<byte[], byte[]>, RecordedEvent> _decode;
    private readonly StateCheck _states = new();
    private readonly RegistryWait _registry;
    private readonly AggregateDefinition _definition;
    private readonly StateStore _store;
    private readonly AggregateCache _aggregates;
    private readonly ParkedAggregates _parked;
    private readonly Action<ConsumeResult<byte[], byte[]>, string, string> _park;
    private long _bytes; // since the last write

    /// <summary>A replay into <paramref name="store"/>; an event that cannot be folded is given to <paramref name="park"/> with cause and message, and later ones of its aggregate are passed over.</summary>
    public EventReplay(
        PartitionContext context, int partition, RegistryWait registry, StateStore store, AggregateCache aggregates, ParkedAggregates parked, Action<ConsumeResult<byte[], byte[]>, string, string> park)
    {
        (_connection, _definition, _registry, _store, _aggregates, _parked, _park) = (context.Connection, context.Definition, registry, store, aggregates, parked, park);
        _partition = new TopicPartition(context.Topics.Events, partition);
        _decode = new EventCodec(context.Serde).Decode;
    }

    /// <summary>The first and the end offset of the partition.</summary>
    public static (long Start, long End) Bounds(KafkaConnection connection, TopicPartition partition, CancellationToken cancellationToken)
    {
        using IConsumer<byte[], byte[]> consumer = Build(connection);
        WatermarkOffsets bounds = PartitionOffsets.Query(consumer, partition, Timeout, cancellationToken);
        return (bounds.Low.Value, bounds.High.Value);
    }

    /// <summary>
    /// The end of the partition once nothing is open there, as its only writer sees it after an abort: Kafka answers that before the markers stand in the partitions, and they take offsets too.
    /// </summary>
    public static long SettledEnd(KafkaConnection connection, TopicPartition partition, CancellationToken cancellationToken)
    {
        using IConsumer<byte[], byte[]> consumer = Build(connection);
        consumer.Assign(new TopicPartitionOffset(partition, PartitionOffsets.Query(consumer, partition, Timeout, cancellationToken).High));
        while (true)
        {
            ConsumeResult<byte[], byte[]> record = consumer.Consume(cancellationToken);
            if (record.IsPartitionEOF && record.Offset >= consumer.GetWatermarkOffsets(partition).High)
                return record.Offset.Value;
        }
    }

    /// <summary>Folds the events from the store's checkpoint to <paramref name="end"/> and returns how many there were.</summary>
    public long Run(long end, CancellationToken cancellationToken)
    {
        long events = 0;
        if (_store.Checkpoint >= end)
            return events;

        using IConsumer<byte[], byte[]> consumer = Build(_connection);
        consumer.Assign(new TopicPartitionOffset(_partition, _store.Checkpoint));
        var changed = new Dictionary<AggregateId, Change>();
        while (true)
        {
            // The last offsets may be transaction markers: the end of the partition ends the replay, not a record.
            ConsumeResult<byte[], byte[]> record = consumer.Consume(cancellationToken);
            if (record.IsPartitionEOF)
                break;
            TakeInput(record);
            if (!_parked.HoldsEvent(record.Message.Key, record.Offset.Value))
                FoldOrPark(record, changed, cancellationToken);
            bool isMuch = IsMuch(record);
            if (++events % WriteEvery == 0 || isMuch)
                Write(changed, record.Offset.Value + 1);
        }

        Write(changed, end);
        return events;
    }

    /// <summary>Folds events as they come, from the store's checkpoint on, until <paramref name="cancellationToken"/> is cancelled; <paramref name="caughtUp"/> gets the number of events so far each time the end is reached and stored.</summary>
    /// <exception cref="InvalidDataException">An event cannot be read or folded, or a version is missing.</exception>
    public void Follow(Action<long> caughtUp, CancellationToken cancellationToken)
    {
        ConsumerConfig config = _connection.Consumer("standby");
        config.EnablePartitionEof = true;
        config.AutoOffsetReset = AutoOffsetReset.Error;
        using IConsumer<byte[], byte[]> consumer = Build(config);
        consumer.Assign(new TopicPartitionOffset(_partition, _store.Checkpoint));
        var changed = new Dictionary<AggregateId, Change>();
        for (long events = 0; ;)
        {
            ConsumeResult<byte[], byte[]> record = consumer.Consume(cancellationToken);
            if (record.IsPartitionEOF)
            {
                Write(changed, record.Offset.Value);
                caughtUp(events);
                continue;
            }

            TakeInput(record);
            if (!_parked.HoldsEvent(record.Message.Key, record.Offset.Value))
                Fold(Decode(record, cancellationToken), record.Message.Headers, changed);
            bool isMuch = IsMuch(record);
            if (++events % WriteEvery == 0 || isMuch)
                Write(changed, record.Offset.Value + 1);
        }
    }

    /// <summary>What parks an aggregate when <paramref name="failure"/> is met.</summary>
    public static string CauseOf(InvalidDataException failure) => ForeignRecordException.IsCauseOf(failure) ? Foreign : Unfoldable;

    /// <summary>
    /// Folds the events of one aggregate that its stored state does not have yet, from <paramref name="offset"/> on; the store's checkpoint stays. Records at <paramref name="discarded"/> offsets are passed over; with
    /// any of them, what cannot be folded behind them is parked in its turn.
    /// </summary>
    /// <exception cref="InvalidDataException">Nothing is discarded, and an event cannot be read or folded, or a version is missing.</exception>
    public void FoldAgain(AggregateId id, long offset, IReadOnlySet<long> discarded, CancellationToken cancellationToken)
    {
        byte[] key = IncomingCommand.KeyOf(id);
        long version = _aggregates.Get(id).Version;
        var changed = new Dictionary<AggregateId, Change>();
        using IConsumer<byte[], byte[]> consumer = Build(_connection, AutoOffsetReset.Earliest); // versions tell what is missing
        consumer.Assign(new TopicPartitionOffset(_partition, offset));
        while (true)
        {
            ConsumeResult<byte[], byte[]> record = consumer.Consume(cancellationToken);
            if (record.IsPartitionEOF)
                break;
            if (!record.Message.Key.AsSpan().SequenceEqual(key) || discarded.Contains(record.Offset.Value))
                continue;
            try
            {
                if (Decode(record, cancellationToken) is var recorded && recorded.Version > version)
                    Fold(recorded, record.Message.Headers, changed);
            }
            catch (InvalidDataException next) when (discarded.Count > 0)
            {
                _park(record, CauseOf(next), next.Message);
                break;
            }
        }

        Write(changed, _store.Checkpoint);
    }

    // Where the log does not have the offset that is due (any more), going on from its first event would fold another log.
    private static IConsumer<byte[], byte[]> Build(KafkaConnection connection, AutoOffsetReset reset = AutoOffsetReset.Error)
    {
        ConsumerConfig config = connection.BoundedReader("restore");
        config.AutoOffsetReset = reset;
        return Build(config);
    }

    private static IConsumer<byte[], byte[]> Build(ConsumerConfig config) =>
        new ConsumerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();

    // The order of the log counts, not the offset: the marks of a command topic that was made again begin anew.
    private void TakeInput(ConsumeResult<byte[], byte[]> record)
    {
        if (InputMark.TryRead(record.Message.Headers, out InputMark mark))
            _store.PutInput(mark);
    }

    private void Write(Dictionary<AggregateId, Change> changed, long checkpoint)
    {
        foreach (Change change in changed.Values)
        {
            Remember(change);
            _store.PutState(change.Entry);
        }

        changed.Clear();
        _bytes = 0;
        _store.Write(checkpoint);
        _aggregates.Trim();
    }

    private bool IsMuch(ConsumeResult<byte[], byte[]> record) => (_bytes += record.Message.Value?.Length ?? 0) >= WriteEveryBytes;

    private RecordedEvent Decode(ConsumeResult<byte[], byte[]> record, CancellationToken cancellationToken) => _registry.Read(record, _decode, cancellationToken);

    private void FoldOrPark(ConsumeResult<byte[], byte[]> record, Dictionary<AggregateId, Change> changed, CancellationToken cancellationToken)
    {
        try
        {
            Fold(Decode(record, cancellationToken), record.Message.Headers, changed);
        }
        catch (InvalidDataException unfoldable)
        {
            _park(record, CauseOf(unfoldable), unfoldable.Message);
        }
    }

    private void Fold(RecordedEvent recorded, Headers headers, Dictionary<AggregateId, Change> changed)
    {
        if (!changed.TryGetValue(recorded.AggregateId, out Change? change))
        {
            changed.Add(recorded.AggregateId, change = new Change(_aggregates.Get(recorded.AggregateId)));
            _bytes += change.Entry.StateMemory;
        }

        AggregateEntry entry = change.Entry;
        if (recorded.Version != entry.Version + 1)
        {
            throw new InvalidDataException(
                $"The event {_partition.Topic} {recorded.Partition}@{recorded.Offset} of {recorded.AggregateId} has version {recorded.Version}; {entry.Version + 1} was due. Another writer has appended to this topic.");
        }

        try
        {
            object state = _definition.Evolve(entry.State, recorded.Payload);
            if (_states.Problem(state) is { } unstorable)
                throw new InvalidDataException($"its state cannot be encoded: {unstorable}");
            entry.State = state;
        }
        catch (Exception failure)
        {
            throw new InvalidDataException($"The event {_partition.Topic} {recorded.Partition}@{recorded.Offset} of {recorded.AggregateId} cannot be folded: {failure.Message}", failure);
        }

        entry.Version = recorded.Version;
        entry.EventOffset = recorded.Offset;
        _store.PutIndex(entry.Key, recorded.Version, recorded.Offset);
        // Of a command with several events the last one counts.
        if (change.Last is { } last && last.CommandId != recorded.CommandId)
            Remember(change);
        change.Last = recorded;
        change.Digest = CommandDigest.Find(headers);
    }

    private void Remember(Change change)
    {
        if (change.Last is not { } last)
            return;
        var reply = new CommandReply
        {
            CommandId = last.CommandId.Value,
            AggregateId = last.AggregateId.Value,
            Outcome = ReplyOutcome.Accepted,
            Version = last.Version,
            EventPartition = last.Partition,
            EventOffset = last.Offset,
        };
        _store.PutOutcome(change.Entry, new RememberedOutcome(reply, change.Digest));
    }

    /// <summary>An aggregate that has changed since the last write, and its last event whose command is not remembered yet.</summary>
    private sealed class Change(AggregateEntry entry)
    {
        public AggregateEntry Entry => entry;

        public RecordedEvent? Last { get; set; }

        public CommandDigest Digest { get; set; }
    }
}
