using System.Diagnostics.CodeAnalysis;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog;

/// <summary>Reads events as they stand in the log. Thread-safe.</summary>
public sealed class EventCodec
{
    private readonly AvroMessageSerde _serde;

    /// <summary>Decodes with <paramref name="serde"/>.</summary>
    public EventCodec(AvroMessageSerde serde) => _serde = serde;

    /// <summary>The event in <paramref name="record"/>.</summary>
    /// <exception cref="InvalidDataException">It is not an event that this library wrote (<see cref="ForeignRecordException"/> within), or its value cannot be read; the message says where it stands and what is wrong.</exception>
    /// <exception cref="HttpRequestException">The Schema Registry, which knows the schema of its value, cannot be reached.</exception>
    public RecordedEvent Decode(ConsumeResult<byte[], byte[]> record)
    {
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
                throw new InvalidDataException($"The header {CloudEventHeaders.Sequence} is '{Encoding.UTF8.GetString(sequence)}', not a version.");
            if (!CloudEventHeaders.TryDecodeTime(made, out DateTimeOffset time))
                throw new InvalidDataException($"The header {CloudEventHeaders.Time} is not a time.");
            CommandId command = CommandId.Parse(Encoding.UTF8.GetString(causation));
            return new RecordedEvent
            {
                AggregateId = AggregateId.Parse(Encoding.UTF8.GetString(record.Message.Key ?? throw new InvalidDataException("It has no key."))),
                Version = version,
                Payload = _serde.Decode(record.Message.Value),
                Partition = record.Partition.Value,
                Offset = record.Offset.Value,
                Time = time,
                CommandId = command,
                Bytes = record.Message.Value?.Length ?? 0,
                CorrelationId = correlation is null ? null : correlation.AsSpan().SequenceEqual(causation) ? command.Value : Encoding.UTF8.GetString(correlation),
            };
        }
        catch (UndecodableMessageException unreadable)
        {
            throw new InvalidDataException($"The event {record.Topic} {record.Partition.Value}@{record.Offset.Value} cannot be read: {unreadable.Message}", unreadable);
        }
        catch (Exception wrong) when (wrong is InvalidDataException or InvalidInputException)
        {
            throw new InvalidDataException($"The record {record.Topic} {record.Partition.Value}@{record.Offset.Value} is not an event: {wrong.Message}", new ForeignRecordException(wrong.Message, wrong));
        }
    }

    private static void Need([NotNull] byte[]? value, string name)
    {
        if (value is null)
            throw new InvalidDataException($"The header {name} is missing.");
    }
}
