using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Brings the store of one partition to the end of the log.</summary>
internal sealed partial class EventReplay
{
    /// <summary>The cause of a letter that is an event which can be read and not folded.</summary>
    public const string Unfoldable = "unfoldable-event";

    /// <summary>Causes of letters that are events whose value cannot be read: the code does not have their type, the registry not their schema, or it is no such value.</summary>
    public const string UnknownEvent = "unknown-event", UnknownSchema = "unknown-schema", NotAvro = "not-avro", Undecodable = "undecodable-event";

    /// <summary>The cause of a letter that stands among the events and is none of them: it may be discarded.</summary>
    public const string Foreign = "foreign-record";

    private const int WriteEvery = 5_000;
    private const long WriteEveryBytes = 8 * 1024 * 1024; // of events, and of the aggregates that they change

    private readonly KafkaConnection _connection;
    private readonly TopicPartition _partition;
    private readonly int _partitions;
    private readonly EventCodec _codec;
    private readonly Func<ConsumeResult<byte[], byte[]>, RecordedEvent> _decode;
    private readonly StateCheck _states = new();
    private readonly RegistryWait _registry;
    private readonly AggregateDefinition _definition;
    private readonly HashSet<Type> _eventTypes;
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
        _eventTypes = [.. context.Definition.EventTypes];
        _partitions = context.Partitions;
        _codec = new EventCodec(context.Serde, context.Partitions);
        _decode = DecodeOwn;
    }

    /// <summary>Folds the events from the store's checkpoint to <paramref name="end"/> and returns how many there were.</summary>
    public long Run(long end, CancellationToken cancellationToken)
    {
        long events = 0;
        if (_store.Checkpoint >= end)
            return events;

        // Where the log does not have the offset that is due (any more), going on from its first event would fold another log.
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_connection, "restore", isExact: true);
        var changed = new Dictionary<AggregateId, Change>();
        foreach (ConsumeResult<byte[], byte[]> record in reader.Read(_partition, _store.Checkpoint, cancellationToken))
        {
            TakeInput(record);
            if (_parked.IsPassedOver(record.Offset.Value))
                PassOver(record, changed);
            else if (!_parked.HoldsEvent(record.Message.Key, record.Offset.Value))
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
        using PartitionLogReader reader = PartitionLogReader.Tailing(_connection, "standby", isExact: true, withEnds: true);
        reader.Begin(new TopicPartitionOffset(_partition, _store.Checkpoint));
        var changed = new Dictionary<AggregateId, Change>();
        for (long events = 0; ;)
        {
            ConsumeResult<byte[], byte[]> record = reader.Next(cancellationToken);
            if (record.IsPartitionEOF)
            {
                Write(changed, record.Offset.Value);
                caughtUp(events);
                continue;
            }

            TakeInput(record);
            if (_parked.IsPassedOver(record.Offset.Value))
                PassOver(record, changed);
            else if (!_parked.HoldsEvent(record.Message.Key, record.Offset.Value))
            {
                ThrowIfMisplaced(record);
                Fold(Decode(record, cancellationToken), record.Message.Headers, changed);
            }

            bool isMuch = IsMuch(record);
            if (++events % WriteEvery == 0 || isMuch)
                Write(changed, record.Offset.Value + 1);
        }
    }

    /// <summary>What parks an aggregate when <paramref name="failure"/> is met.</summary>
    public static string CauseOf(InvalidDataException failure) => failure.InnerException switch
    {
        ForeignRecordException => Foreign,
        UndecodableMessageException { Reason: UndecodableReason.UnknownType } => UnknownEvent,
        UndecodableMessageException { Reason: UndecodableReason.UnknownSchemaId } => UnknownSchema,
        UndecodableMessageException { Reason: UndecodableReason.NotAvro } => NotAvro,
        UndecodableMessageException => Undecodable,
        _ => Unfoldable,
    };

    /// <summary>Whether <paramref name="cause"/> is that of an event whose value cannot be read: other code may be able to.</summary>
    public static bool IsUnreadable(string cause) => cause is UnknownEvent or UnknownSchema or NotAvro or Undecodable;

    // The order of the log counts, not the offset: the marks of a command topic that was made again begin anew.
    private void TakeInput(ConsumeResult<byte[], byte[]> record)
    {
        if (InputMark.TryRead(record.Message.Headers, out InputMark mark) && !IsMisplaced(record, out _, out _)) // another partition's mark says nothing of this one
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

    // An event of a type that another aggregate has can be decoded and is none of this one's all the same.
    private RecordedEvent DecodeOwn(ConsumeResult<byte[], byte[]> record)
    {
        RecordedEvent recorded = _codec.Decode(record);
        if (_eventTypes.Contains(recorded.Payload.GetType()))
            return recorded;
        string message = $"The {_definition.Name} does not evolve {recorded.Payload.GetType().Name}.";
        throw new InvalidDataException($"The event {_partition.Topic} {recorded.Partition}@{recorded.Offset} cannot be read: {message}", new UndecodableMessageException(UndecodableReason.UnknownType, message));
    }

    // Its aggregate's events lie on its own partition; what is here would be a second history of it.
    private void ThrowIfMisplaced(ConsumeResult<byte[], byte[]> record)
    {
        if (IsMisplaced(record, out AggregateId id, out int right))
            throw Misplaced.Refuse(record.TopicPartitionOffset, "event", id.Value, right, _partitions);
    }

    private bool IsMisplaced(ConsumeResult<byte[], byte[]> record, out AggregateId id, out int right)
    {
        (id, right) = (default, -1);
        if (record.Message.Key is not { } key || (right = Murmur2.Partition(key, _partitions)) == _partition.Partition.Value)
            return false;
        id = DeadLetterFormat.AggregateOf(key);
        return !id.IsDefault;
    }

    // Discarded by an operator: an event keeps its version and its command's outcome and does nothing; a record that is no event, or lies wrong, does not even that.
    private void PassOver(ConsumeResult<byte[], byte[]> record, Dictionary<AggregateId, Change> changed)
    {
        if (_codec.TryReadHead(record, out EventHead head) && head.Version == EntryOf(head.AggregateId, changed).Version + 1)
            Advance(ChangeOf(head.AggregateId, changed), new LastEvent(head.CommandId, head.Version, record.Partition.Value, record.Offset.Value), record.Message.Headers);
    }

    private void FoldOrPark(ConsumeResult<byte[], byte[]> record, Dictionary<AggregateId, Change> changed, CancellationToken cancellationToken)
    {
        ThrowIfMisplaced(record);
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
        Change change = ChangeOf(recorded.AggregateId, changed);
        AggregateEntry entry = change.Entry;
        if (recorded.Version != entry.Version + 1)
        {
            throw new InvalidDataException(
                $"The event {_partition.Topic} {recorded.Partition}@{recorded.Offset} of {recorded.AggregateId} has version {recorded.Version}; {entry.Version + 1} was due. Another writer has appended to this topic.");
        }

        entry.State = Evolve(entry.State, recorded);
        Advance(change, new LastEvent(recorded.CommandId, recorded.Version, recorded.Partition, recorded.Offset), headers);
    }

    private object Evolve(object state, RecordedEvent recorded)
    {
        try
        {
            object next = _definition.Evolve(state, recorded.Payload);
            return _states.Problem(next) is { } unstorable ? throw new InvalidDataException($"its state cannot be encoded: {unstorable}") : next;
        }
        catch (Exception failure)
        {
            throw new InvalidDataException($"The event {_partition.Topic} {recorded.Partition}@{recorded.Offset} of {recorded.AggregateId} cannot be folded: {failure.Message}", failure);
        }
    }

    private void Advance(Change change, LastEvent reached, Headers headers)
    {
        AggregateEntry entry = change.Entry;
        entry.Version = reached.Version;
        entry.EventOffset = reached.Offset;
        _store.PutIndex(entry.Key, reached.Version, reached.Offset);
        // Of a command with several events the last one counts.
        if (change.Last is { } last && last.CommandId != reached.CommandId)
            Remember(change);
        change.Last = reached;
        change.Digest = CommandDigest.Find(headers);
    }

    private AggregateEntry EntryOf(AggregateId id, Dictionary<AggregateId, Change> changed) => changed.TryGetValue(id, out Change? change) ? change.Entry : _aggregates.Get(id);

    private Change ChangeOf(AggregateId id, Dictionary<AggregateId, Change> changed)
    {
        if (!changed.TryGetValue(id, out Change? change))
        {
            changed.Add(id, change = new Change(_aggregates.Get(id)));
            _bytes += change.Entry.StateMemory;
        }

        return change;
    }

    private void Remember(Change change)
    {
        if (change.Last is not { } last)
            return;
        var outcome = new CommandOutcome(OutcomeKind.Accepted, last.Version, last.Offset);
        _store.PutOutcome(change.Entry, new RememberedOutcome(last.CommandId.Value, outcome, change.Digest));
    }

    private readonly record struct LastEvent(CommandId CommandId, long Version, int Partition, long Offset);

    /// <summary>An aggregate that has changed since the last write, and its last event whose command is not remembered yet.</summary>
    private sealed class Change(AggregateEntry entry)
    {
        public AggregateEntry Entry => entry;

        public LastEvent? Last { get; set; }

        public CommandDigest Digest { get; set; }
    }
}
