using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Decodes each record of an events topic once and hands it to all branches; when they have taken it, its offset is noted. An event that an
/// operator has discarded keeps its version and does nothing, as in a node; a record that is not an event is passed over when it is
/// discarded. They come in <see cref="RecordBatch"/>es, or one by one as in a test; each event goes on with its own headers and time. Of
/// one task.
/// </summary>
internal sealed class EventDecoder : ITransformer<string, byte[], string, SourceRecord>
{
    private readonly SourceReading? _reading;
    private readonly ConsumeResult<byte[], byte[]> _result = new() { Message = new Message<byte[], byte[]>() }; // one for all records
    private ProcessorContext<string, SourceRecord>? _context;
    private IReadOnlyDictionary<long, DeadLetterResolution>? _discarded;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public EventDecoder()
    {
    }

    /// <summary>Decodes by <paramref name="reading"/>.</summary>
    public EventDecoder(SourceReading reading) => _reading = reading;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, SourceRecord> context) => _context = context;

    /// <inheritdoc/>
    public Record<string, SourceRecord>? Process(Record<string, byte[]> record)
    {
        if (record.Headers is not RecordBatch batch)
        {
            (_result.TopicPartitionOffset, _result.Message.Key, _result.Message.Value, _result.Message.Headers) =
                (record.TopicPartitionOffset, record.Key is null ? null! : KeySerDes.BytesOf(record.Key), record.Value, record.Headers);
            if (Read(_result, isLast: true) is { } source)
                _context!.Forward(record.Key!, source);
            Advance(_result);
            return null;
        }

        // One is forwarded when it is known whether another one follows.
        ConsumeResult<byte[], byte[]>? waiting = null;
        foreach (ConsumeResult<byte[], byte[]> single in batch.Records)
        {
            if (!IsEvent(single))
                continue;
            if (waiting is not null)
                Hand(waiting, isLast: false);
            waiting = single;
        }

        if (waiting is not null)
            Hand(waiting, isLast: true);
        Advance(batch.Records[^1]);
        return null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // Streamiz closes a task's processors twice; there is nothing to release.
    }

    private void Hand(ConsumeResult<byte[], byte[]> record, bool isLast)
    {
        _context!.SetHeaders(record.Message.Headers);
        _context.ChangeTimestamp(record.Message.Timestamp.UnixTimestampMs);
        _context.Forward(KeySerDes.Instance.Deserialize(record.Message.Key, default), Read(record, isLast)!);
        Advance(record);
    }

    private void Advance(ConsumeResult<byte[], byte[]> record) =>
        _reading!.Progress.Advance(record.Partition.Value, record.Offset.Value + 1);

    // Without a head it is not an event at all, and nobody counts it, if it is discarded.
    private bool IsEvent(ConsumeResult<byte[], byte[]> record) =>
        !IsDiscarded(_reading!, record.TopicPartitionOffset) || _reading!.Codec.TryReadHead(record, out _);

    private SourceRecord? Read(ConsumeResult<byte[], byte[]> record, bool isLast)
    {
        SourceReading reading = _reading!;
        if (!IsDiscarded(reading, record.TopicPartitionOffset))
            return new SourceRecord(reading.Aggregate, reading.Codec.Decode(record), record) { IsLast = isLast };
        return reading.Codec.TryReadHead(record, out EventHead head)
            ? new SourceRecord(reading.Aggregate, new StoredEvent(head, null), record) { IsDiscarded = true, IsLast = isLast }
            : null;
    }

    // What is discarded is known from the first record on, also of an event that this code could read: what an event did is the same for
    // all, or nothing. One that cannot be read or folded and is not discarded yet ends the run; the next one sees what was discarded since.
    private bool IsDiscarded(SourceReading reading, TopicPartitionOffset place)
    {
        _discarded ??= reading.Discarded(place.Partition.Value);
        return _discarded.Count > 0 && _discarded.ContainsKey(place.Offset.Value);
    }
}
