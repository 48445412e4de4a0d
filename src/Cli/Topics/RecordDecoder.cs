using System.Buffers;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>Reads what a record's value is: Avro of a registered schema, text, or neither. Not thread-safe.</summary>
internal sealed class RecordDecoder : IDisposable
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly CachedSchemaRegistryClient _registry;
    private readonly RegisteredSchemas _schemas;
    private readonly Dictionary<SchemaName, AvroSchema> _known = [];

    public RecordDecoder(SchemaRegistryConfig registry)
    {
        _registry = new CachedSchemaRegistryClient(registry);
        _schemas = new RegisteredSchemas(_registry);
    }

    public async Task<RecordValue> Decode(ConsumeResult<byte[]?, byte[]?> record)
    {
        if (record.Message.Value is not { } value)
            return new RecordValue.Tombstone();
        byte[]? header = record.Message.Headers.TryGetLastBytes(WireFormat.ValueSchemaIdHeader, out byte[] given) ? given : null;
        if (!SchemaName.TryRead(header ?? value, out SchemaName schema, out int length))
            return TextOf(value) is { } text ? new RecordValue.Text(text) : new RecordValue.Bytes(value);
        try
        {
            if (!_known.TryGetValue(schema, out AvroSchema? writer))
                _known.Add(schema, writer = schema.Guid is { } guid
                    ? await _schemas.Find(guid).ConfigureAwait(false)
                    : await _schemas.Find(schema.Id).ConfigureAwait(false));
            return new RecordValue.Avro(schema, (writer as NamedSchema)?.FullName ?? writer.ToString(),
                Json(writer, value.AsSpan(header is null ? length : 0)));
        }
        catch (Exception unreadable) when (unreadable is UndecodableMessageException or HttpRequestException or AvroDecodeException
            or InvalidOperationException)
        {
            return new RecordValue.Unreadable(schema, unreadable.Message, value);
        }
    }

    private static string Json(AvroSchema writer, ReadOnlySpan<byte> value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, AvroJson.Options))
        {
            var reader = new AvroReader(value);
            AvroJson.Write(json, ref reader, writer);
            if (reader.Remaining > 0)
                throw new AvroDecodeException(reader.Position, $"{reader.Remaining} bytes follow the value.");
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public void Dispose() => _registry.Dispose();

    /// <summary>The bytes as text; null when they are not UTF-8, or nothing that a terminal should get.</summary>
    public static string? TextOf(byte[] bytes)
    {
        try
        {
            string text = Strict.GetString(bytes);
            return text.Any(c => char.IsControl(c) && c is not ('\t' or '\n' or '\r')) ? null : text;
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }
}
