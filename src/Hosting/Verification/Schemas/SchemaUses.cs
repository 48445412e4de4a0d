using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>The records of topics, by topic and writer's schema. Not thread-safe.</summary>
/// <param name="readingOf">How a value is read whose schema is named by the value, or by a header that comes second.</param>
internal sealed class SchemaUses(SchemaUses.ReadingOf readingOf)
{
    /// <summary>How values of the schema of a message are read.</summary>
    public delegate SchemaReading ReadingOf(ReadOnlySpan<byte> message, ReadOnlySpan<byte> schemaId);

    // where a value names no schema that could be found
    private const string None = "-";

    private readonly Dictionary<(string Topic, string Schema), SchemaUse> _uses = [];

    /// <summary>All of them, by topic, type and schema.</summary>
    public IReadOnlyList<SchemaUse> All => [.. _uses.Values.OrderBy(u => u.Topic, StringComparer.Ordinal)
        .ThenBy(u => u.Reading.WriterType, StringComparer.Ordinal).ThenBy(u => u.Reading.Schema.Length)
        .ThenBy(u => u.Reading.Schema, StringComparer.Ordinal)];

    /// <summary>Counts a record that could be read; <paramref name="why"/> tells why not.</summary>
    public void Add(ConsumeResult<byte[], byte[]> record, string? why) => Add(record, why, readingOf);

    /// <summary>Counts a record of a form of its own, which is read as <paramref name="reading"/> says.</summary>
    public void Add(ConsumeResult<byte[], byte[]> record, string? why, ReadingOf reading)
    {
        SchemaUse use = Find(record, reading);
        if (why is null)
            use.Add();
        else
            use.AddFailure(record.Partition.Value, record.Offset.Value, why);
    }

    /// <summary>Counts an event that could be read, by <paramref name="serde"/>.</summary>
    public void Add(ConsumeResult<byte[], byte[]> record, in StoredEvent stored, AvroMessageSerde serde)
    {
        SchemaUse use = Find(record, readingOf);
        if (stored.Count == 0)
            use.AddIgnored();
        else if (stored.Count > 1 || serde.TypeOf(stored[0].Payload.GetType()).FullName != use.Reading.ReadAs)
            use.AddUpcast();
        else
            use.Add();
    }

    private SchemaUse Find(ConsumeResult<byte[], byte[]> record, ReadingOf reading)
    {
        byte[]? header = CloudEventHeaders.Find(record.Message.Headers, WireFormat.ValueSchemaIdHeader);
        ReadOnlySpan<byte> name = header ?? record.Message.Value;
        string schema = WireFormat.TryReadSchemaId(name, out int id) ? id.ToString(CultureInfo.InvariantCulture)
            : WireFormat.TryReadSchemaGuid(name, out Guid guid) ? guid.ToString()
            : None;
        if (_uses.TryGetValue((record.Topic, schema), out SchemaUse? known))
            return known;
        var use = new SchemaUse(record.Topic, reading(record.Message.Value, header));
        _uses.Add((record.Topic, schema), use);
        return use;
    }
}
