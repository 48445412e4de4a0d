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
    /// <exception cref="InvalidDataException">It is not an event that this library wrote; the message says where it stands and what is wrong.</exception>
    public RecordedEvent Decode(ConsumeResult<byte[], byte[]> record)
    {
        try
        {
            Headers headers = record.Message.Headers;
            byte[] sequence = Needed(headers, CloudEventHeaders.Sequence);
            if (!CloudEventHeaders.TryDecodeNumber(sequence, out long version) || version < 1)
                throw new InvalidDataException($"The header {CloudEventHeaders.Sequence} is '{Encoding.UTF8.GetString(sequence)}', not a version.");
            if (!CloudEventHeaders.TryDecodeTime(Needed(headers, CloudEventHeaders.Time), out DateTimeOffset time))
                throw new InvalidDataException($"The header {CloudEventHeaders.Time} is not a time.");
            return new RecordedEvent
            {
                AggregateId = AggregateId.Parse(Encoding.UTF8.GetString(record.Message.Key ?? throw new InvalidDataException("It has no key."))),
                Version = version,
                Payload = _serde.Decode(record.Message.Value),
                Partition = record.Partition.Value,
                Offset = record.Offset.Value,
                Time = time,
                CommandId = CommandId.Parse(Encoding.UTF8.GetString(Needed(headers, CloudEventHeaders.CausationId))),
                CorrelationId = CloudEventHeaders.Find(headers, CloudEventHeaders.CorrelationId) is { } correlation ? Encoding.UTF8.GetString(correlation) : null,
            };
        }
        catch (Exception wrong) when (wrong is InvalidDataException or InvalidInputException or UndecodableMessageException)
        {
            throw new InvalidDataException($"The record {record.Topic} {record.Partition.Value}@{record.Offset.Value} is not an event: {wrong.Message}", wrong);
        }
    }

    private static byte[] Needed(Headers headers, string name) => CloudEventHeaders.Find(headers, name) ?? throw new InvalidDataException($"The header {name} is missing.");
}
