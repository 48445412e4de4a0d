using System.Diagnostics.CodeAnalysis;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Reads events of one log as the code of today has them: the one place where old events are upcast, and events of withdrawn types passed
/// over, for whoever reads. Thread-safe.
/// </summary>
public sealed class EventCodec
{
    private readonly AvroMessageSerde _serde;
    private readonly int? _partitions;
    private readonly AggregateDefinition? _upcasting; // null: what is in the log is current
    private readonly IReadOnlyCollection<string>? _ignored;

    /// <summary>
    /// Decodes the events of <paramref name="definition"/> with <paramref name="serde"/>, and upcasts them; null: as they are in the log.
    /// With <paramref name="partitions"/>, the number of the topic's, a record on another partition than that of its key is not an event of
    /// its partition.
    /// </summary>
    public EventCodec(AvroMessageSerde serde, AggregateDefinition? definition = null, int? partitions = null)
    {
        (_serde, _partitions) = (serde, partitions);
        _upcasting = definition is { UpcastTypes.Count: > 0 } ? definition : null;
        if (definition is { IgnoredTypes.Count: > 0 })
            (_upcasting, _ignored) = (definition, definition.IgnoredTypes);
    }

    /// <summary>The event in <paramref name="record"/>.</summary>
    /// <exception cref="InvalidDataException">It is not an event that this library wrote (<see cref="ForeignRecordException"/> within), its
    /// value cannot be read, or it cannot be upcast; the message says where it stands and what is wrong.</exception>
    /// <exception cref="HttpRequestException">The Schema Registry, which knows the schema of its value, cannot be reached.</exception>
    public StoredEvent Decode(ConsumeResult<byte[], byte[]> record)
    {
        return Decode(ReadHead(record), record);
    }

    /// <summary>The event in <paramref name="record"/>, whose headers are read already: it needs none.</summary>
    /// <inheritdoc cref="Decode(ConsumeResult{byte[], byte[]})"/>
    internal StoredEvent Decode(in EventHead head, ConsumeResult<byte[], byte[]> record)
    {
        try
        {
            if (_ignored is not null && _serde.TypeNameOf(record.Message.Value) is { } type && _ignored.Contains(type))
            {
                EventTelemetry.Ignored(_upcasting!.Name, type);
                return new StoredEvent(head, null);
            }

            object payload = _serde.Decode(record.Message.Value);
            return _upcasting is not null && Upcast(payload, head, record) is { } events
                ? new StoredEvent(head, PartsOf(events, head, record))
                : new StoredEvent(head, RecordedAs(payload, 0, 1, head, record));
        }
        catch (UndecodableMessageException unreadable)
        {
            throw new InvalidDataException($"The event {record.Topic} {record.Partition.Value}@{record.Offset.Value} cannot be "
                + $"read: {unreadable.Message}", unreadable);
        }
    }

    private static RecordedEvent RecordedAs(object payload, int part, int parts, in EventHead head, ConsumeResult<byte[], byte[]> record) =>
        new()
        {
            AggregateId = head.AggregateId,
            Version = head.Version,
            Payload = payload,
            Part = part,
            Parts = parts,
            Partition = record.Partition.Value,
            Offset = record.Offset.Value,
            Time = head.Time,
            CommandId = head.CommandId,
            Bytes = record.Message.Value?.Length ?? 0,
            CorrelationId = head.CorrelationId,
            TraceParent = Traced(record, CloudEventHeaders.TraceParent),
            TraceState = Traced(record, CloudEventHeaders.TraceState),
        };

    private static RecordedEvent[] PartsOf(IReadOnlyList<object> events, in EventHead head, ConsumeResult<byte[], byte[]> record)
    {
        var parts = new RecordedEvent[events.Count];
        for (int part = 0; part < parts.Length; part++)
            parts[part] = RecordedAs(events[part], part, parts.Length, head, record);
        return parts;
    }

    // What it runs is the application's: whatever it throws is said with the place of the event.
    private IReadOnlyList<object>? Upcast(object payload, in EventHead head, ConsumeResult<byte[], byte[]> record)
    {
        try
        {
            return _upcasting!.Upcast(payload, new UpcastContext(head.AggregateId, head.Version, head.Time));
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            throw new InvalidDataException($"The event {record.Topic} {record.Partition.Value}@{record.Offset.Value}, "
                + $"{payload.GetType().Name} of {head.AggregateId}, cannot be upcast: {failure.Message}", failure);
        }
    }

    /// <summary>What key and headers of <paramref name="record"/> say.</summary>
    /// <exception cref="InvalidDataException">It is not an event that this library wrote, or not of this partition
    /// (<see cref="ForeignRecordException"/> within).</exception>
    public EventHead ReadHead(ConsumeResult<byte[], byte[]> record)
    {
        ArgumentNullException.ThrowIfNull(record);
        try
        {
            byte[]? sequence = null, made = null, causation = null, correlation = null;
            Headers headers = record.Message.Headers;
            for (int i = 0; i < headers.Count; i++) // of several with one name the last counts
            {
                switch (headers[i].Key)
                {
                    case CloudEventHeaders.Sequence:
                        sequence = headers[i].GetValueBytes();
                        break;
                    case CloudEventHeaders.Time:
                        made = headers[i].GetValueBytes();
                        break;
                    case CloudEventHeaders.CausationId:
                        causation = headers[i].GetValueBytes();
                        break;
                    case CloudEventHeaders.CorrelationId:
                        correlation = headers[i].GetValueBytes();
                        break;
                }
            }

            Need(sequence, CloudEventHeaders.Sequence);
            Need(made, CloudEventHeaders.Time);
            Need(causation, CloudEventHeaders.CausationId);
            if (!CloudEventHeaders.TryDecodeNumber(sequence, out long version) || version < 1)
                throw new InvalidDataException(
                    $"The header {CloudEventHeaders.Sequence} is '{Encoding.UTF8.GetString(sequence)}', not a version.");
            if (!CloudEventHeaders.TryDecodeTime(made, out DateTimeOffset time))
                throw new InvalidDataException($"The header {CloudEventHeaders.Time} is not a time.");
            CommandId command = CommandId.Parse(Encoding.UTF8.GetString(causation));
            byte[] key = record.Message.Key ?? throw new InvalidDataException("It has no key.");
            if (_partitions is { } partitions && Murmur2.Partition(key, partitions) is var right && right != record.Partition.Value)
                throw new InvalidDataException(
                    $"It lies on partition {record.Partition.Value}, and of {partitions} partitions its key belongs to {right}.");
            if (!RecordIds.TryReadAggregate(key, out AggregateId aggregate, out string? error))
                throw new InvalidDataException($"Its key must be the aggregate id: {error}");
            return new EventHead(
                aggregate, version, time, command,
                correlation is null
                    ? null
                    : correlation.AsSpan().SequenceEqual(causation)
                    ? command.Value
                    : Encoding.UTF8.GetString(correlation));
        }
        catch (Exception wrong) when (wrong is InvalidDataException or InvalidInputException)
        {
            throw new InvalidDataException($"The record {record.Topic} {record.Partition.Value}@{record.Offset.Value} is not an "
                + $"event: {wrong.Message}", new ForeignRecordException(wrong.Message, wrong));
        }
    }

    /// <summary>What key and headers of <paramref name="record"/> say; false where <see cref="ReadHead"/> would throw.</summary>
    public bool TryReadHead(ConsumeResult<byte[], byte[]> record, out EventHead head)
    {
        try
        {
            head = ReadHead(record);
            return true;
        }
        catch (InvalidDataException)
        {
            head = default;
            return false;
        }
    }

    private static string? Traced(ConsumeResult<byte[], byte[]> record, string header) =>
        Tracing.IsOn && CloudEventHeaders.Find(record.Message.Headers, header) is { } value ? Encoding.UTF8.GetString(value) : null;

    private static void Need([NotNull] byte[]? value, string name)
    {
        if (value is null)
            throw new InvalidDataException($"The header {name} is missing.");
    }
}
