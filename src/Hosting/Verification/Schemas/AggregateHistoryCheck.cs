using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Projections;

namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>
/// Reads events, snapshots and waiting commands of one aggregate type by this code, folds the events, and compares the states with those
/// that the code before kept. It joins no group and writes nothing. For one call.
/// </summary>
internal sealed class AggregateHistoryCheck
{
    private const int BatchEvents = 5_000;
    private const int Slices = 10;

    private readonly AggregateDefinition _definition;
    private readonly TopicFamily _topics;
    private readonly IRecordSource _source;
    private readonly AvroMessageSerde _serde;
    private readonly AvroRecordType _stateType;
    private readonly SchemaUses _uses;
    private readonly SchemaCheckOptions _options;
    private readonly Action _count;
    private readonly AggregateCheck _found;
    private readonly Dictionary<AggregateId, (long Version, object State)> _folded = [];
    private readonly HashSet<AggregateId> _unknown = []; // of which an event cannot be read: its state is not one of this code

    public AggregateHistoryCheck(TopicFamily topics, AggregateDefinition definition, IRecordSource source, AvroMessageSerde serde,
        SchemaUses uses, SchemaCheckOptions options, Action count)
    {
        (_topics, _definition, _source, _serde, _uses, _options, _count) = (topics, definition, source, serde, uses, options, count);
        _stateType = serde.TypeOf(definition.StateType);
        _found = new AggregateCheck(definition.Name);
    }

    /// <summary>The last offset of an event, by partition; of partitions that have one.</summary>
    public Dictionary<int, long> LastOffsets { get; } = [];

    /// <summary>Reads a sample of the events, and all snapshots and waiting commands.</summary>
    public async Task SampleAsync(int records, IReadOnlyDictionary<int, long> waiting, CancellationToken cancellationToken)
    {
        IReadOnlyList<int> partitions = _source.PartitionsOf(_topics.Events);
        var codec = new EventCodec(_serde, _definition, partitions.Count);
        foreach (int partition in partitions)
            await Task.Run(() => SampleEvents(partition, codec, records, cancellationToken), cancellationToken).ConfigureAwait(false);
        await Task.Run(() => ReadSnapshots(new StateBaseline(), cancellationToken), cancellationToken).ConfigureAwait(false);
        await Task.Run(() => ReadCommands(waiting, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads everything, and folds the events, into <paramref name="readModels"/> too.</summary>
    public async Task<AggregateCheck> RunAsync(IReadOnlyList<ProjectionEngine> readModels, IReadOnlyDictionary<int, long> waiting,
        CancellationToken cancellationToken)
    {
        StateBaseline baseline = _options.Before is { } lines ? StateBaseline.Read(lines, _definition.Name) : new StateBaseline();
        await Task.Run(() => ReadSnapshots(_options.Before is null ? baseline : new StateBaseline(), cancellationToken),
            cancellationToken).ConfigureAwait(false);
        IReadOnlyList<int> partitions = _source.PartitionsOf(_topics.Events);
        var codec = new EventCodec(_serde, _definition, partitions.Count);
        foreach (int partition in partitions)
            await FoldPartition(partition, codec, baseline, readModels, cancellationToken).ConfigureAwait(false);
        await Task.Run(() => ReadCommands(waiting, cancellationToken), cancellationToken).ConfigureAwait(false);
        _found.Aggregates = _folded.Count;
        _found.Compared = baseline.Compared;
        _found.Shape = baseline.Shape;
        if (_options.Keep is { } keep)
        {
            foreach ((AggregateId id, (long version, object state)) in _folded.Where(f => !_unknown.Contains(f.Key)))
                keep(StateBaseline.Line(_definition.Name, id, version, Json(state)));
        }

        return _found;
    }

    private async Task FoldPartition(int partition, EventCodec codec, StateBaseline baseline, IReadOnlyList<ProjectionEngine> readModels,
        CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<long, DeadLetterResolution> discarded = await Task.Run(() =>
            new DiscardedEvents(_source, _topics).Of(partition, cancellationToken), cancellationToken).ConfigureAwait(false);
        var batch = new List<RecordedEvent>(BatchEvents);
        long from = 0;
        await foreach (ConsumeResult<byte[], byte[]> record in RecordsAhead.ReadAsync(
            stop => _source.Read(new TopicPartition(_topics.Events, partition), 0, stop), cancellationToken).ConfigureAwait(false))
        {
            LastOffsets[partition] = record.Offset.Value;
            Take(record, codec, discarded, baseline)?.AddTo(batch);
            if (batch.Count >= BatchEvents)
                await Project().ConfigureAwait(false);
        }

        if (batch.Count > 0)
            await Project().ConfigureAwait(false);

        async Task Project()
        {
            foreach (ProjectionEngine engine in readModels)
                await engine.ProjectAsync(partition, from, batch, batch[^1].Offset + 1, cancellationToken).ConfigureAwait(false);
            from = batch[^1].Offset + 1;
            batch = new List<RecordedEvent>(BatchEvents);
        }
    }

    // Null: it was discarded, or cannot be read.
    private StoredEvent? Take(ConsumeResult<byte[], byte[]> record, EventCodec codec,
        IReadOnlyDictionary<long, DeadLetterResolution> discarded, StateBaseline baseline)
    {
        _count();
        if (discarded.ContainsKey(record.Offset.Value))
        {
            PassOver(record, codec);
            return null;
        }

        _found.Events++;
        StoredEvent stored;
        try
        {
            stored = DecodeEvent(record, codec);
        }
        catch (InvalidDataException unreadable)
        {
            _uses.Add(record, unreadable.Message);
            if (codec.TryReadHead(record, out EventHead head))
                _unknown.Add(head.AggregateId);
            PassOver(record, codec);
            return null;
        }

        _uses.Add(record, stored, _serde);
        Fold(record, stored, baseline);
        return stored;
    }

    // An event that another aggregate type has can be decoded and is none of this one's all the same.
    private StoredEvent DecodeEvent(ConsumeResult<byte[], byte[]> record, EventCodec codec)
    {
        StoredEvent stored = codec.Decode(record);
        for (int part = 0; part < stored.Count; part++)
        {
            if (!_definition.EventTypes.Contains(stored[part].Payload.GetType()))
                throw new InvalidDataException($"The event {record.Topic} {record.Partition.Value}@{record.Offset.Value} cannot be read: "
                    + $"the {_definition.Name} does not evolve {stored[part].Payload.GetType().Name}.");
        }

        return stored;
    }

    private void Fold(ConsumeResult<byte[], byte[]> record, in StoredEvent stored, StateBaseline baseline)
    {
        (AggregateId id, long version) = (stored.Head.AggregateId, stored.Head.Version);
        object before = _folded.TryGetValue(id, out (long Version, object State) present) ? present.State : _definition.InitialState;
        object state = before;
        try
        {
            for (int part = 0; part < stored.Count; part++)
                state = _definition.Evolve(state, stored[part].Payload);
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            _unknown.Add(id);
            state = before;
            _found.AddUnfoldable($"{id}: the event at {record.Partition.Value}@{record.Offset.Value}, version {version}: "
                + $"{failure.Message}");
        }

        _folded[id] = (version, state);
        if (!_unknown.Contains(id) && baseline.Compare(id, version, () => Json(state)) is { } difference)
            _found.AddChange(id, version, difference);
    }

    // It has its version and does nothing.
    private void PassOver(ConsumeResult<byte[], byte[]> record, EventCodec codec)
    {
        if (!codec.TryReadHead(record, out EventHead head))
            return;
        object before = _folded.TryGetValue(head.AggregateId, out (long Version, object State) present)
            ? present.State
            : _definition.InitialState;
        _folded[head.AggregateId] = (head.Version, before);
    }

    private void SampleEvents(int partition, EventCodec codec, int records, CancellationToken cancellationToken)
    {
        var source = new TopicPartition(_topics.Events, partition);
        WatermarkOffsets bounds = _source.BoundsOf(source, cancellationToken);
        long span = bounds.High.Value - bounds.Low.Value;
        int slices = span <= records ? 1 : Math.Min(Slices, records);
        for (int slice = 0; slice < slices; slice++)
        {
            // the last slice ends with the last record
            long from = bounds.Low.Value + (slices == 1 ? 0 : slice * (span - (records / slices)) / (slices - 1));
            foreach (ConsumeResult<byte[], byte[]> record in _source.Read(source, from, cancellationToken)
                .Take(slices == 1 ? records : records / slices))
            {
                _count();
                StoredEvent stored = default;
                if (Problem(() => stored = DecodeEvent(record, codec)) is { } problem)
                    _uses.Add(record, problem);
                else
                    _uses.Add(record, stored, _serde);
            }
        }
    }

    private void ReadSnapshots(StateBaseline baseline, CancellationToken cancellationToken)
    {
        foreach (int partition in _source.PartitionsOf(_topics.Snapshots))
        {
            foreach ((string id, AggregateSnapshot snapshot) in SnapshotScan.Read(
                _source.Read(new TopicPartition(_topics.Snapshots, partition), 0, cancellationToken), Decode))
            {
                if (snapshot.StateSchema != _stateType.Fingerprint)
                    _found.OtherStateSchema++;
                else if (AggregateId.TryParse(id, out AggregateId aggregate, out _))
                    baseline.Put(aggregate, snapshot.Version, Json(_stateType.Read(snapshot.State)));
            }
        }

        if (_options.StreamSnapshots.TryGetValue(_definition.Name, out string? topic) && _source.Topics.Contains(topic))
            ReadStreamSnapshots(topic, baseline, cancellationToken);

        IAvroRecord? Decode(ConsumeResult<byte[], byte[]> record)
        {
            _count();
            IAvroRecord? value = null;
            _uses.Add(record, Problem(() => value = _serde.Decode(record.Message.Value)));
            return value;
        }
    }

    // They come behind barriers: where there are both, a node has streams now, and barriers are from before.
    private void ReadStreamSnapshots(string topic, StateBaseline baseline, CancellationToken cancellationToken)
    {
        var format = new StreamSnapshotFormat(_serde.SchemaOf);
        foreach (int partition in _source.PartitionsOf(topic))
        {
            var newest = new Dictionary<AggregateId, StreamSnapshot>();
            foreach (ConsumeResult<byte[], byte[]> record in _source.Read(new TopicPartition(topic, partition), 0, cancellationToken))
            {
                _count();
                bool isAggregate = AggregateId.TryParse(Encoding.UTF8.GetString(record.Message.Key ?? []), out AggregateId id, out _);
                StreamSnapshot? snapshot = null;
                if (record.Message.Value is { } value)
                    _uses.Add(record, Problem(() => snapshot = format.Read(value)), ReadingOf);
                if (isAggregate && snapshot is not null)
                    newest[id] = snapshot;
                else if (isAggregate)
                    newest.Remove(id);
            }

            foreach ((AggregateId id, StreamSnapshot snapshot) in newest)
            {
                if (snapshot.StateSchema != _stateType.Fingerprint)
                    _found.OtherStreamStateSchema++;
                else
                    baseline.Put(id, snapshot.Version, Json(_stateType.Read(snapshot.State)));
            }
        }

        SchemaReading ReadingOf(ReadOnlySpan<byte> message, ReadOnlySpan<byte> schemaId)
        {
            try
            {
                if (WireFormat.TryReadSchemaId(message, out int id))
                    return format.ReadingOf(id, _stateType);
            }
            catch (UndecodableMessageException)
            {
                // the registry does not have it, as is said below
            }

            return _serde.ReadingOf(message, schemaId);
        }
    }

    private void ReadCommands(IReadOnlyDictionary<int, long> waiting, CancellationToken cancellationToken)
    {
        foreach (int partition in _source.PartitionsOf(_topics.Commands))
        {
            foreach (ConsumeResult<byte[], byte[]> record in _source.Read(new TopicPartition(_topics.Commands, partition),
                waiting.GetValueOrDefault(partition), cancellationToken))
            {
                _count();
                if (record.Message.Value is not null)
                    _uses.Add(record, Problem(() => DecodeCommand(record)));
            }
        }
    }

    private void DecodeCommand(ConsumeResult<byte[], byte[]> record)
    {
        IAvroRecord command = _serde.Decode(record.Message.Value,
            CloudEventHeaders.Find(record.Message.Headers, WireFormat.ValueSchemaIdHeader));
        if (!_definition.CommandTypes.Contains(command.GetType()) && command is not CommandAnswered and not Avro.Messages.TimerElapsed)
            throw new InvalidDataException($"The {_definition.Name} does not decide {command.GetType().Name}.");
    }

    private static string? Problem(Action read)
    {
        try
        {
            read();
            return null;
        }
        catch (Exception unreadable) when (unreadable is UndecodableMessageException or InvalidDataException or AvroDecodeException)
        {
            return unreadable.Message;
        }
    }

    private string Json(object state) => _stateType.ToJson((IAvroRecord)state);
}
