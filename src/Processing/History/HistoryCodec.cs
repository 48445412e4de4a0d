using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Pages of histories between nodes, in Avro's binary encoding, and what they are for the code of today. Thread-safe.
/// </summary>
internal sealed class HistoryCodec(AvroMessageSerde serde, TopicFamily topics, AggregateDefinition definition)
{
    private const int Format = 1;

    private readonly EventCodec _events = new(serde, definition);

    /// <summary>A page as another node is sent it.</summary>
    public static byte[] Encode(StoredHistory history)
    {
        var output = new PooledBuffer();
        try
        {
            var writer = new AvroWriter(output);
            writer.WriteInt(Format);
            writer.WriteLong(history.Version);
            writer.WriteLong(history.LastOffset);
            writer.WriteLong(history.Next ?? 0);
            writer.WriteInt(history.Events.Count);
            foreach (StoredHistoryEvent stored in history.Events)
            {
                writer.WriteLong(stored.Head.Version);
                writer.WriteLong(stored.Offset);
                writer.WriteLong(stored.Head.Time.UtcTicks);
                writer.WriteString(stored.Head.CommandId.Value);
                writer.WriteBoolean(stored.Head.CorrelationId is not null);
                writer.WriteString(stored.Head.CorrelationId ?? "");
                writer.WriteBoolean(stored.IsDiscarded);
                writer.WriteBytes(stored.Value);
            }

            writer.Flush();
            return output.WrittenSpan.ToArray();
        }
        finally
        {
            output.Reset();
        }
    }

    /// <summary>Reads what <see cref="Encode"/> wrote.</summary>
    /// <exception cref="AvroDecodeException">It is none.</exception>
    public static StoredHistory Decode(AggregateId id, ReadOnlySpan<byte> body)
    {
        var reader = new AvroReader(body);
        int format = reader.ReadInt();
        if (format != Format)
            throw new AvroDecodeException(0, $"The format is {format}, and {Format} is known here.");
        long version = reader.ReadLong();
        long offset = reader.ReadLong();
        long next = reader.ReadLong();
        var events = new StoredHistoryEvent[reader.ReadIndex(HistoryQuery.MaxLimit + 1)];
        for (int i = 0; i < events.Length; i++)
        {
            long at = reader.ReadLong();
            long place = reader.ReadLong();
            var time = new DateTimeOffset(reader.ReadLong(), TimeSpan.Zero);
            CommandId command = CommandId.Parse(reader.ReadString());
            bool isCorrelated = reader.ReadBoolean();
            string correlation = reader.ReadString();
            bool isDiscarded = reader.ReadBoolean();
            events[i] = new StoredHistoryEvent(new EventHead(id, at, time, command, isCorrelated ? correlation : null), place,
                reader.ReadBytes(), isDiscarded);
        }

        return new StoredHistory(version, offset, events, next == 0 ? null : next);
    }

    /// <summary>What a page is for the code of today.</summary>
    /// <exception cref="InvalidDataException">An event cannot be read.</exception>
    public HistoryPage Read(AggregateId id, int partition, StoredHistory history)
    {
        byte[] key = Encoding.UTF8.GetBytes(id.Value);
        return new HistoryPage(id, history.Version, new ConsistencyToken(partition, history.LastOffset),
            [.. history.Events.Select(e => Read(key, partition, e))], history.Next);
    }

    private HistoryEntry Read(byte[] key, int partition, StoredHistoryEvent stored)
    {
        EventHead head = stored.Head;
        return new HistoryEntry(head.Version, new ConsistencyToken(partition, stored.Offset), head.Time, head.CommandId,
            head.CorrelationId, stored.IsDiscarded, stored.IsDiscarded ? [] : EventsOf(key, partition, stored));
    }

    private List<RecordedEvent> EventsOf(byte[] key, int partition, StoredHistoryEvent stored)
    {
        var events = new List<RecordedEvent>(1);
        _events.Decode(stored.Head, new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(topics.Events, partition, stored.Offset),
            Message = new Message<byte[], byte[]> { Key = key, Value = stored.Value, Headers = [] },
        }).AddTo(events);
        return events;
    }
}
