using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using RocksDbSharp;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// The state of one partition on disk: aggregates, their stream index, their recent outcomes, what changed since the last barrier, and the
/// checkpoint. No write-ahead log: Kafka is the log. All keys live in one column family, told apart by their first byte, so that a flush
/// takes them together and a crash leaves an older but consistent store. Reads are thread-safe; writes belong to the partition task.
/// </summary>
internal sealed class StateStore : IDisposable
{
    private const string FormatVersion = "2";

    // How much of a load is put together before it is written.
    private const int MaxPieceBytes = 4 * 1024 * 1024;

    // How much of a batch's memory is kept for the next one.
    private const int MaxKeptBytes = 1024 * 1024;

    private readonly RocksDb _database;
    private readonly StoredOutcomes _outcomes;
    private readonly WriteOptions _write = new WriteOptions().DisableWal(1);
    private readonly AvroRecordType _stateType;
    private readonly AggregateDefinition _definition;
    private readonly int _recentLimit;
    private readonly EventIndex _index;
    private readonly PooledBuffer _value = new();
    private readonly StoreKeys _keys = new();
    private readonly ArrayBufferWriter<byte> _encoded = new(256);
    private WriteBatch _batch = new();
    private long _checkpoint;
    private long _putBytes;
    private bool _loading;

    private StateStore(RocksDb database, AggregateDefinition definition, AvroRecordType stateType, int recentLimit, bool keepsEvents) =>
        (_database, _outcomes, _index, _definition, _stateType, _recentLimit) = (database, new StoredOutcomes(database),
            new EventIndex(database, keepsEvents), definition, stateType, recentLimit);

    /// <summary>The first event offset that is not in the store; 0: it is new. Thread-safe: whoever sees it reads what is before.</summary>
    public long Checkpoint
    {
        get => Volatile.Read(ref _checkpoint);
        private set => Volatile.Write(ref _checkpoint, value);
    }

    /// <summary>How many aggregates it has.</summary>
    public long Aggregates { get; private set; }

    /// <summary>How far the commands are decided whose events and outcomes it has; null: it has not seen that.</summary>
    public InputMark? Input { get; private set; }

    /// <summary>The topics that its content is of; null: it does not say.</summary>
    public TopicIdentities? Topics { get; private set; }

    /// <summary>What of the events it was filled with from event streams; null: it was not.</summary>
    public SnapshotCover? Cover { get; private set; }

    /// <summary>What seals the personal fields of its states; null: nothing does.</summary>
    public IFieldProtection? Protection { get; init; }

    /// <summary>Its events by aggregate and version.</summary>
    public EventIndex Index => _index;

    /// <summary>
    /// Opens the store in <paramref name="directory"/>; one of another state schema, format or number of remembered commands, or a half
    /// loaded one, is deleted first: the events have all. <paramref name="memory"/> is shared with other stores; null: with all there are.
    /// </summary>
    /// <exception cref="IOException">Another process has the store open, or the folder cannot be used.</exception>
    public static StateStore Open(string directory, AggregateDefinition definition, AvroRecordType stateType, int recentLimit,
        StoreMemory? memory = null, StateStoreOptions? options = null, IFieldProtection? protection = null)
    {
        options ??= new StateStoreOptions();
        memory ??= StoreMemory.OfProcess;
        StateStore store = OpenAsIs();
        byte[] schema = Encoding.UTF8.GetBytes($"{FormatVersion}/{recentLimit}/{stateType.Fingerprint}");
        byte[]? present = store._database.Get(StoreKeys.Schema);
        if ((present is not null && !present.AsSpan().SequenceEqual(schema)) || store._database.Get(StoreKeys.Loading) is not null)
        {
            store.Dispose();
            Directory.Delete(directory, recursive: true);
            store = OpenAsIs();
        }

        store._database.Put(StoreKeys.Schema, schema, writeOptions: store._write);
        if (store._database.Get(StoreKeys.Checkpoint) is { } checkpoint)
            store.Checkpoint = BinaryPrimitives.ReadInt64BigEndian(checkpoint);
        if (store._database.Get(StoreKeys.Input) is { } input && InputMark.TryParse(input, out InputMark mark))
            store.Input = mark;
        if (store._database.Get(StoreKeys.Topics) is { } topics)
            store.Topics = TopicIdentities.Parse(Encoding.UTF8.GetString(topics));
        store.Cover = SnapshotCover.Read(store._database.Get(StoreKeys.Cover));
        store._index.Open(store.Checkpoint, store._write);
        store.Aggregates = store._database.Get(StoreKeys.Aggregates) is { } count
            ? BinaryPrimitives.ReadInt64BigEndian(count)
            : StorePartition.Count(store._database);
        return store;

        StateStore OpenAsIs() =>
            new(memory.Open(directory, options.MaxOpenFiles), definition, stateType, recentLimit, options.KeepEvents)
            { Protection = protection };
    }

    /// <summary>Whether all aggregates belong to <paramref name="partition"/> of <paramref name="partitions"/>.</summary>
    public bool HasOnlyAggregatesOf(int partition, int partitions) =>
        StorePartition.HasOnlyAggregatesOf(_database, _write, partition, partitions);

    /// <summary>The aggregate as stored; null when it is not.</summary>
    public AggregateEntry? Load(AggregateId id)
    {
        byte[] idBytes = Encoding.UTF8.GetBytes(id.Value);
        byte[]? value = _database.Get(StoreKeys.Of(StoreKeys.State, idBytes));
        if (value is null)
            return null;

        var entry = new AggregateEntry(id, _definition.InitialState) { IsStored = true };
        (entry.Version, entry.EventOffset, entry.State) = ReadState(value);
        entry.StateBytes = value.Length;
        foreach (StoredOutcome outcome in _outcomes.AllOf(idBytes))
            entry.Recent.Recall(RecentCommands.HashOf(OutcomeCodec.CommandIdOf(outcome.Data)), outcome.Number, _recentLimit);
        return entry;
    }

    /// <summary>The aggregate as a read returns it; null when it has no events. Thread-safe.</summary>
    public AggregateView? Read(AggregateId id, int partition) =>
        _database.Get(StoreKeys.Of(StoreKeys.State, Encoding.UTF8.GetBytes(id.Value))) is { } value ? ViewOf(id, partition, value) : null;

    /// <summary>All aggregates that have events, as of now, in the order of their ids. Thread-safe.</summary>
    public IEnumerable<AggregateView> ReadAll(int partition)
    {
        using Iterator all = _database.NewIterator();
        for (all.Seek([StoreKeys.State]); all.Valid(); all.Next())
        {
            byte[] key = all.Key();
            if (key[0] != StoreKeys.State)
                break;
            if (ViewOf(AggregateId.Parse(Encoding.UTF8.GetString(key.AsSpan(1))), partition, all.Value()) is { } view)
                yield return view;
        }
    }

    /// <summary>Adds an aggregate's state to the next write, and to the next barrier if <paramref name="isChanged"/>.</summary>
    public void PutState(AggregateEntry entry, bool isChanged = true)
    {
        PutStateOnly(entry);
        if (isChanged)
            _batch.Put(_keys.Write(StoreKeys.Changed, entry.Key), default(ReadOnlySpan<byte>));
    }

    /// <summary>Adds the states of aggregates, which are in the order of their keys, to the next write.</summary>
    public void PutStates(ReadOnlySpan<AggregateEntry> entries)
    {
        foreach (AggregateEntry entry in entries)
            PutStateOnly(entry);
        foreach (AggregateEntry entry in entries)
            _batch.Put(_keys.Write(StoreKeys.Changed, entry.Key), default(ReadOnlySpan<byte>));
    }

    /// <summary>
    /// Adds an aggregate to the next write as a snapshot has it, in the place of one that was put before with
    /// <paramref name="outcomesBefore"/> outcomes, or null when there was none; the next barrier does not have it unless it changes, or
    /// <paramref name="isChanged"/>.
    /// </summary>
    /// <exception cref="AvroDecodeException">The state is not of the store's schema.</exception>
    public void PutSnapshot(byte[] id, AggregateSnapshot snapshot, int? outcomesBefore, bool isChanged = false)
    {
        _stateType.Read(snapshot.State); // what cannot be read must not be taken for a state
        _value.Clear();
        var writer = new AvroWriter(_value);
        writer.WriteLong(snapshot.Version);
        writer.WriteLong(snapshot.EventOffset);
        writer.Flush();
        _value.Write(snapshot.State);
        _batch.Put(_keys.Write(StoreKeys.State, id), _value.WrittenSpan);
        _putBytes += _value.WrittenCount;
        for (int number = 0; number < snapshot.RecentCommands.Count; number++)
            PutOutcome(id, number, snapshot.RecentCommands[number]);
        DeleteOutcomes(id, snapshot.RecentCommands.Count, outcomesBefore ?? 0);
        if (isChanged)
            _batch.Put(_keys.Write(StoreKeys.Changed, id), default(ReadOnlySpan<byte>));
        if (outcomesBefore is null)
            Aggregates++;
    }

    /// <summary>Takes back a <see cref="PutSnapshot"/> with <paramref name="outcomes"/> outcomes.</summary>
    public void ForgetSnapshot(byte[] id, int outcomes)
    {
        _batch.Delete(_keys.Write(StoreKeys.State, id));
        DeleteOutcomes(id, 0, outcomes);
        Aggregates--;
    }

    /// <summary>
    /// Adds an event to the next write, by aggregate and version: the place, and, unless it is larger than
    /// <see cref="EventIndex.MaxKeptBytes"/>, what <paramref name="head"/> and <paramref name="value"/> say.
    /// </summary>
    public void PutEvent(ReadOnlySpan<byte> id, in EventHead head, long offset, ReadOnlySpan<byte> value)
    {
        ReadOnlySpan<byte> record = _index.Encode(_value, head, offset, value);
        _batch.Put(_keys.Write(StoreKeys.Index, id, head.Version), record);
        _putBytes += record.Length;
    }

    /// <summary>Adds to the next write that the events before <paramref name="offset"/> are not there by aggregate and version.</summary>
    public void PutGapBefore(long offset) => _index.PutGap(_batch, new IndexGap(0, offset));

    /// <summary>Adds how far commands are decided to the next write.</summary>
    public void PutInput(InputMark input)
    {
        _batch.Put(StoreKeys.Input, input.ToBytes());
        Input = input;
    }

    /// <summary>Adds what topics the content is of to the next write.</summary>
    public void PutTopics(TopicIdentities topics)
    {
        if (topics == Topics)
            return;
        _batch.Put(StoreKeys.Topics, Encoding.UTF8.GetBytes(topics.ToString()));
        Topics = topics;
    }

    /// <summary>Adds what of the events it is filled with to the next write.</summary>
    public void PutCover(SnapshotCover cover)
    {
        _batch.Put(StoreKeys.Cover, cover.ToBytes());
        Cover = cover;
    }

    /// <summary>The outcome of a command that the aggregate remembers and that is written; false when there is none.</summary>
    public bool TryGetOutcome(AggregateEntry entry, string commandId, out RememberedOutcome outcome) =>
        _outcomes.TryGet(entry, commandId, out outcome);

    /// <summary>The remembered outcomes of an aggregate, oldest first, as <see cref="OutcomeCodec"/> writes them.</summary>
    public List<byte[]> RecentOutcomes(AggregateEntry entry)
    {
        List<StoredOutcome> outcomes = _outcomes.AllOf(entry.Key);
        outcomes.Sort(static (one, other) => one.Number.CompareTo(other.Number));
        return outcomes.ConvertAll(static o => o.Data);
    }

    /// <summary>Remembers an outcome with its aggregate, in memory at once and in the next write.</summary>
    public void PutOutcome(AggregateEntry entry, RememberedOutcome outcome)
    {
        _encoded.ResetWrittenCount();
        var writer = new AvroWriter(_encoded);
        OutcomeCodec.Write(ref writer, outcome);
        writer.Flush();
        PutOutcome(entry, _encoded.WrittenSpan);
    }

    /// <summary>Remembers an outcome that is encoded already.</summary>
    public void PutOutcome(AggregateEntry entry, ReadOnlySpan<byte> outcome)
    {
        PutOutcome(entry.Key, entry.Recent.Add(RecentCommands.HashOf(OutcomeCodec.CommandIdOf(outcome)), _recentLimit), outcome);
    }

    /// <summary>
    /// While a whole partition is put, writes what was put so far once it is much, without a checkpoint. From the first such piece to the
    /// next <see cref="Write"/> the store is marked, and starts over when it is opened: half a load must not look like the whole.
    /// </summary>
    public void WritePiece()
    {
        if (_putBytes < MaxPieceBytes)
            return;
        _batch.Put(StoreKeys.Loading, default(ReadOnlySpan<byte>));
        _database.Write(_batch, _write);
        ClearBatch();
        _loading = true;
    }

    /// <summary>Writes what was put, together with the checkpoint.</summary>
    public void Write(long checkpoint)
    {
        Span<byte> value = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64BigEndian(value, checkpoint);
        _batch.Put(StoreKeys.Checkpoint, value);
        BinaryPrimitives.WriteInt64BigEndian(value, Aggregates);
        _batch.Put(StoreKeys.Aggregates, value);
        if (_loading)
            _batch.Delete(StoreKeys.Loading);
        _database.Write(_batch, _write);
        ClearBatch();
        _loading = false;
        Checkpoint = checkpoint;
    }

    /// <summary>The aggregates that changed since the last barrier.</summary>
    public List<AggregateId> Changed()
    {
        var changed = new List<AggregateId>();
        using Iterator all = _database.NewIterator();
        for (all.Seek([StoreKeys.Changed]); all.Valid(); all.Next())
        {
            ReadOnlySpan<byte> key = all.GetKeySpan();
            if (key[0] != StoreKeys.Changed)
                break;
            changed.Add(AggregateId.Parse(Encoding.UTF8.GetString(key[1..])));
        }

        return changed;
    }

    /// <summary>Has the next barrier hold all aggregates.</summary>
    public void ChangeAll()
    {
        using Iterator all = _database.NewIterator();
        for (all.Seek([StoreKeys.State]); all.Valid() && all.GetKeySpan()[0] == StoreKeys.State; all.Next())
            _batch.Put(_keys.Write(StoreKeys.Changed, all.GetKeySpan()[1..]), default(ReadOnlySpan<byte>));
        _database.Write(_batch, _write);
        _batch.Clear();
    }

    /// <summary>Forgets that the aggregates had changed: they are in a barrier now.</summary>
    public void ClearChanged(List<AggregateId> changed)
    {
        foreach (AggregateId id in changed)
            _batch.Delete(StoreKeys.Of(StoreKeys.Changed, Encoding.UTF8.GetBytes(id.Value)));
        _database.Write(_batch, _write);
        ClearBatch();
    }

    /// <summary>Makes what was written outlive the process.</summary>
    public void Flush() => _database.Flush(new FlushOptions().SetWaitForFlush(true));

    public void Dispose()
    {
        _batch.Dispose();
        _database.Dispose();
    }

    private AggregateView? ViewOf(AggregateId id, int partition, byte[] value)
    {
        (long version, long offset, object state) = ReadState(value);
        return version == 0 ? null : new AggregateView(id, version, state, new ConsistencyToken(partition, offset));
    }

    private (long Version, long Offset, object State) ReadState(byte[] value)
    {
        var reader = new AvroReader(value);
        long version = reader.ReadLong();
        long offset = reader.ReadLong();
        return (version, offset, _stateType.Read(value.AsSpan(reader.Position), Protection));
    }

    private void PutOutcome(byte[] id, long number, ReadOnlySpan<byte> outcome)
    {
        _value.Clear();
        BinaryPrimitives.WriteInt64BigEndian(_value.GetSpan(sizeof(long)), number);
        _value.Advance(sizeof(long));
        _value.Write(outcome);
        _batch.Put(_keys.Write(StoreKeys.Recent, id, number % _recentLimit), _value.WrittenSpan);
        _putBytes += _value.WrittenCount;
    }

    private void DeleteOutcomes(byte[] id, int from, int count)
    {
        for (int slot = from; slot < Math.Min(count, _recentLimit); slot++)
            _batch.Delete(_keys.Write(StoreKeys.Recent, id, slot));
    }

    private void PutStateOnly(AggregateEntry entry)
    {
        if (!entry.IsStored)
            Aggregates++;
        entry.IsStored = true;
        _value.Clear();
        var writer = new AvroWriter(_value, Protection, entry.Id.Value, marksErased: true);
        writer.WriteLong(entry.Version);
        writer.WriteLong(entry.EventOffset);
        ((IAvroRecord)entry.State).WriteTo(ref writer);
        writer.Flush();
        _batch.Put(_keys.Write(StoreKeys.State, entry.Key), _value.WrittenSpan);
        entry.StateBytes = _value.WrittenCount;
        _putBytes += _value.WrittenCount;
    }

    // A batch keeps the memory of the largest that it was.
    private void ClearBatch()
    {
        if (_putBytes <= MaxKeptBytes)
        {
            _batch.Clear();
        }
        else
        {
            _batch.Dispose();
            _batch = new WriteBatch();
            _value.Reset();
        }

        _putBytes = 0;
    }
}
