using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using Streamiz.Kafka.Net.Processors.Public;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Says of each event to which topic of its type it goes. Bytes and headers stay as they are, but for events that are upcast: these are
/// written as what they are read as, so that a topic has one type.
/// </summary>
internal sealed class EventTypeSplit : ITransformer<string, SourceRecord, string, TypedEvent>
{
    private readonly EventTypesPart? _part;
    private readonly EventTypeTopics? _topics;
    private ProcessorContext<string, TypedEvent>? _context;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public EventTypeSplit()
    {
    }

    /// <summary>Splits <paramref name="part"/>.</summary>
    public EventTypeSplit(EventTypesPart part, EventTypeTopics topics) => (_part, _topics) = (part, topics);

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, TypedEvent> context) => _context = context;

    /// <inheritdoc/>
    public Record<string, TypedEvent>? Process(Record<string, SourceRecord> record)
    {
        SourceRecord source = record.Value;
        for (int part = 0; part < source.Stored.Count; part++)
        {
            RecordedEvent recorded = source.Stored[part];
            Type type = recorded.Payload.GetType();
            if (!_part!.TopicOf.TryGetValue(type, out string? topic))
                continue;
            if (recorded.Parts == 1 && _topics!.IsWrittenAs(source.Value, type))
            {
                _context!.Forward(record.Key, new TypedEvent(topic, source.Value));
                continue;
            }

            _context!.SetHeaders(WithType(source.Headers, RecordTypes.Of(type).FullName));
            _context.Forward(record.Key, new TypedEvent(topic, _topics!.Encode(topic, (IAvroRecord)recorded.Payload)));
            _context.SetHeaders(source.Headers);
        }

        return null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // There is nothing to release.
    }

    private static Headers WithType(Headers headers, string type)
    {
        var changed = new Headers();
        foreach (IHeader header in headers)
            changed.Add(header.Key, header.Key == CloudEventHeaders.Type ? Encoding.UTF8.GetBytes(type) : header.GetValueBytes());
        return changed;
    }
}

/// <summary>An event for the topic of its type.</summary>
/// <param name="Topic">The topic.</param>
/// <param name="Value">The bytes of the value.</param>
internal sealed record TypedEvent(string Topic, byte[] Value);
