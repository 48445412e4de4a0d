using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.Cli.Topics;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Cli.Schemas;

/// <summary>Reads values by the schemas of files, which no code was generated from. Not thread-safe.</summary>
internal sealed class FileReaders(IWriterSchemas schemas, IReadOnlyList<RecordSchema> readers)
{
    private readonly Dictionary<SchemaName, (SchemaReading Reading, Resolution? Resolution)> _known = [];

    /// <summary>How values of the schema of a message are read.</summary>
    public SchemaReading ReadingOf(ReadOnlySpan<byte> message, ReadOnlySpan<byte> schemaId) =>
        Find(schemaId.IsEmpty ? message : schemaId, out _).Reading;

    /// <summary>Why a record cannot be read; null: it can.</summary>
    public string? Problem(ConsumeResult<byte[], byte[]> record)
    {
        byte[]? header = CloudEventHeaders.Find(record.Message.Headers, WireFormat.ValueSchemaIdHeader);
        (SchemaReading reading, Resolution? resolution) = Find(header ?? record.Message.Value, out int length);
        if (resolution is null)
            return reading.Problems[0];
        try
        {
            ResolvedWalk.Walk(record.Message.Value.AsSpan(header is null ? length : 0), resolution);
            return null;
        }
        catch (Exception unreadable) when (unreadable is SchemaMismatchException or AvroDecodeException)
        {
            return unreadable.Message;
        }
    }

    private (SchemaReading Reading, Resolution? Resolution) Find(ReadOnlySpan<byte> named, out int length)
    {
        if (!SchemaName.TryRead(named, out SchemaName name, out length))
            return (new SchemaReading("-", "(unknown)", null, false, [], ["The value is not in Confluent's Avro wire format."]), null);
        if (!_known.TryGetValue(name, out (SchemaReading Reading, Resolution? Resolution) known))
            _known.Add(name, known = Resolve(name));
        return known;
    }

    private (SchemaReading Reading, Resolution? Resolution) Resolve(SchemaName name)
    {
        try
        {
            AvroSchema writer = (name.Guid is { } guid ? schemas.Find(guid) : schemas.Find(name.Id)).GetAwaiter().GetResult();
            string? type = (writer as RecordSchema)?.FullName;
            RecordSchema? reader = readers.FirstOrDefault(r => r.FullName == type)
                ?? readers.FirstOrDefault(r => type is not null && r.Aliases.Contains(type));
            return (SchemaReading.Of(name.ToString(), writer, reader),
                reader is null ? null : SchemaResolver.Resolve(reader, writer).Resolution);
        }
        catch (UndecodableMessageException unknown)
        {
            return (new SchemaReading(name.ToString(), "(unknown)", null, false, [], [unknown.Message]), null);
        }
    }
}
