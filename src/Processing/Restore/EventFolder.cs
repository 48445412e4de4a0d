using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Folds events into the store of one partition: it reads them, checks that they are due, and keeps what changed until it is written. Owned
/// by one thread.
/// </summary>
internal sealed class EventFolder
{
    private const int WriteEvery = 5_000;
    private const long WriteEveryBytes = 8 * 1024 * 1024; // of events, and of the aggregates that they change

    private readonly TopicPartition _partition;
    private readonly int _partitions;
    private readonly EventCodec _codec;
    private readonly Func<ConsumeResult<byte[], byte[]>, StoredEvent> _decode;
    private readonly StateCheck _states = new();
    private readonly SchemaRegistryRetry _registry;
    private readonly AggregateDefinition _definition;
    private readonly HashSet<Type> _eventTypes;
    private readonly StateStore _store;
    private readonly AggregateCache _aggregates;
    private readonly ParkedAggregates _parked;
    private readonly Dictionary<AggregateId, Change> _changed = [];
    private long _events;
    private long _bytes; // since the last write

    /// <summary>Folds into <paramref name="store"/>.</summary>
    public EventFolder(PartitionContext context, int partition, SchemaRegistryRetry registry, StateStore store, AggregateCache aggregates,
        ParkedAggregates parked)
    {
        (_definition, _registry, _store, _aggregates, _parked) = (context.Definition, registry, store, aggregates, parked);
        _partition = new TopicPartition(context.Topics.Events, partition);
        _eventTypes = [.. context.Definition.EventTypes];
        _partitions = context.Partitions;
        _codec = new EventCodec(context.Serde, context.Definition, context.Partitions);
        _decode = DecodeOwn;
    }

    /// <summary>The partition of the events.</summary>
    public TopicPartition Source => _partition;

    /// <summary>The store that they are folded into.</summary>
    public StateStore Store => _store;

    /// <summary>How many events were <see cref="Take"/>n.</summary>
    public long Events => _events;

    /// <summary>
    /// Takes the next event in the order of the log: unless it is passed over or waits for an operator, <paramref name="fold"/> folds it.
    /// What changed is written when it is much.
    /// </summary>
    public void Take(ConsumeResult<byte[], byte[]> record, Action<ConsumeResult<byte[], byte[]>> fold)
    {
        // The order of the log counts, not the offset: the marks of a command topic that was made again begin anew.
        // another partition's mark says nothing of this one
        if (InputMark.TryRead(record.Message.Headers, out InputMark mark) && !IsMisplaced(record, out _, out _))
            _store.PutInput(mark);
        bool isCovered = IsCovered(record);
        if (!isCovered && _parked.IsPassedOver(record.Offset.Value))
            PassOver(record);
        else if (!isCovered && !_parked.HoldsEvent(record.Message.Key, record.Offset.Value))
            fold(record);
        bool isMuch = (_bytes += record.Message.Value?.Length ?? 0) >= WriteEveryBytes;
        if (++_events % WriteEvery == 0 || isMuch)
            Write(record.Offset.Value + 1);
    }

    // Snapshots of event streams may be ahead of the place where the replay begins, each as far as its own last event.
    private bool IsCovered(ConsumeResult<byte[], byte[]> record) => _store.Cover is { } cover
        && record.Offset.Value < cover.Ahead
        && (record.Offset.Value < cover.Before
            || (_codec.TryReadHead(record, out EventHead head) && EntryOf(head.AggregateId) is var entry
                && head.Version <= entry.Version && record.Offset.Value <= entry.EventOffset));

    /// <summary>Writes what changed, up to the event before <paramref name="checkpoint"/>.</summary>
    public void Write(long checkpoint)
    {
        foreach (Change change in _changed.Values)
        {
            Remember(change);
            _store.PutState(change.Entry);
        }

        _changed.Clear();
        _bytes = 0;
        _store.Write(checkpoint);
        _aggregates.Trim();
    }

    /// <summary>The event that <paramref name="record"/> is, as soon as the registry has told its schema.</summary>
    /// <exception cref="InvalidDataException">It cannot be read, or is not an event of this aggregate.</exception>
    public StoredEvent Decode(ConsumeResult<byte[], byte[]> record, CancellationToken cancellationToken) =>
        _registry.Read(record, _decode, cancellationToken);

    // An event of a type that another aggregate has can be decoded and is none of this one's all the same.
    private StoredEvent DecodeOwn(ConsumeResult<byte[], byte[]> record)
    {
        StoredEvent stored = _codec.Decode(record);
        if (stored.Count != 1 || _eventTypes.Contains(stored[0].Payload.GetType())) // several are what it is upcast to
            return stored;
        string message = $"The {_definition.Name} does not evolve {stored[0].Payload.GetType().Name}.";
        throw new InvalidDataException($"The event {_partition.Topic} {record.Partition.Value}@{record.Offset.Value} cannot be "
            + $"read: {message}", new UndecodableMessageException(UndecodableReason.UnknownType, message));
    }

    /// <summary>An aggregate's events lie on its own partition; what is here would be a second history of it.</summary>
    /// <exception cref="UnexpectedLogException">It belongs to another one.</exception>
    public void ThrowIfMisplaced(ConsumeResult<byte[], byte[]> record)
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

    /// <summary>
    /// Passes over a record that was discarded: an event keeps its version and its command's outcome and does nothing; a record that is not
    /// an event, or lies wrong, does not even that.
    /// </summary>
    public void PassOver(ConsumeResult<byte[], byte[]> record)
    {
        if (_codec.TryReadHead(record, out EventHead head) && head.Version == EntryOf(head.AggregateId).Version + 1)
            Advance(ChangeOf(head.AggregateId), head, record);
    }

    /// <summary>
    /// Looks whether the snapshots that the store was filled with from event streams, if it was, have what is before an event.
    /// </summary>
    /// <exception cref="IncompleteSnapshotsException">They do not.</exception>
    public void ThrowIfSnapshotsAreShort(in StoredEvent stored)
    {
        EventHead head = stored.Head;
        if (_store.Cover is not null && EntryOf(head.AggregateId).Version is var known && head.Version > known + 1)
            throw new IncompleteSnapshotsException(
                $"{_partition} has version {head.Version} of {head.AggregateId}, and the snapshots of event streams know it up to "
                    + $"{known}.");
    }

    /// <summary>Folds the event in <paramref name="record"/>.</summary>
    /// <exception cref="InvalidDataException">It cannot be folded, or is not the one that is due.</exception>
    public void Fold(in StoredEvent stored, ConsumeResult<byte[], byte[]> record)
    {
        EventHead head = stored.Head;
        Change change = ChangeOf(head.AggregateId);
        AggregateEntry entry = change.Entry;
        if (head.Version != entry.Version + 1)
        {
            throw new InvalidDataException(
                $"The event {_partition.Topic} {record.Partition.Value}@{record.Offset.Value} of {head.AggregateId} has "
                    + $"version {head.Version}; {entry.Version + 1} was due. Another writer has appended to this topic.");
        }

        entry.State = Evolve(entry.State, stored);
        Advance(change, head, record);
    }

    /// <summary>What an event makes of <paramref name="state"/>: all that it is read as, or nothing of it.</summary>
    /// <exception cref="InvalidDataException">It cannot be folded.</exception>
    public object Evolve(object state, in StoredEvent stored)
    {
        for (int part = 0; part < stored.Count; part++)
            state = Evolve(state, stored[part]);
        return state;
    }

    private object Evolve(object state, RecordedEvent recorded)
    {
        try
        {
            object next = _definition.Evolve(state, recorded.Payload);
            return _states.Problem(next) is { } unstorable
                ? throw new InvalidDataException($"its state cannot be encoded: {unstorable}")
                : next;
        }
        catch (Exception failure)
        {
            throw new InvalidDataException($"The event {_partition.Topic} {recorded.Partition}@{recorded.Offset} "
                + $"of {recorded.AggregateId} cannot be folded: {failure.Message}", failure);
        }
    }

    private void Advance(Change change, in EventHead head, ConsumeResult<byte[], byte[]> record)
    {
        AggregateEntry entry = change.Entry;
        var reached = new LastEvent(head.CommandId, head.Version, record.Partition.Value, record.Offset.Value);
        entry.Version = reached.Version;
        entry.EventOffset = reached.Offset;
        _store.PutEvent(entry.Key, head, reached.Offset, record.Message.Value);
        // Of a command with several events the last one counts.
        if (change.Last is { } last && last.CommandId != reached.CommandId)
            Remember(change);
        change.Last = reached;
        change.Digest = CommandDigest.Find(record.Message.Headers);
    }

    /// <summary>Whether events of the aggregate were folded that are not written yet.</summary>
    public bool HasFolded(AggregateId id) => _changed.TryGetValue(id, out Change? change) && change.Last is not null;

    /// <summary>Drops what of the aggregate is not written yet.</summary>
    public void Forget(AggregateId id) => _changed.Remove(id);

    /// <summary>The aggregate as it is folded so far.</summary>
    public AggregateEntry EntryOf(AggregateId id) => _changed.TryGetValue(id, out Change? change) ? change.Entry : _aggregates.Get(id);

    private Change ChangeOf(AggregateId id)
    {
        if (!_changed.TryGetValue(id, out Change? change))
        {
            _changed.Add(id, change = new Change(_aggregates.Get(id)));
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
