using System.Globalization;
using System.Text;
using Avro.Generic;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>A record as text: a line with its place, time and key, its headers, and its value, decoded when it is Avro. Not thread-safe.</summary>
internal sealed class RecordText : IDisposable
{
    private readonly CachedSchemaRegistryClient _registry;
    private readonly AvroDeserializer<GenericRecord> _avro;

    public RecordText(SchemaRegistryConfig registry)
    {
        _registry = new CachedSchemaRegistryClient(registry);
        _avro = new AvroDeserializer<GenericRecord>(_registry);
    }

    public async Task<string> Format(ConsumeResult<byte[]?, byte[]?> record)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{record.Partition.Value}@{record.Offset.Value}  {record.Message.Timestamp.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'}  {Plain(record.Message.Key) ?? "(no key)"}");
        foreach (IHeader header in record.Message.Headers)
            text.Append(CultureInfo.InvariantCulture, $"\n    {header.Key}: {Plain(header.GetValueBytes()) ?? "(null)"}");
        return text.Append("\n  ").Append(await Value(record).ConfigureAwait(false)).ToString();
    }

    public void Dispose() => _registry.Dispose();

    private async Task<string> Value(ConsumeResult<byte[]?, byte[]?> record)
    {
        if (record.Message.Value is not { } value)
            return "(tombstone)";
        if (!WireFormat.TryReadSchemaId(value, out int id))
            return Plain(value)!;
        try
        {
            GenericRecord decoded = await _avro.DeserializeAsync(value, isNull: false, new SerializationContext(MessageComponentType.Value, record.Topic)).ConfigureAwait(false);
            return $"{decoded.Schema.Fullname} {AvroJson.Format(decoded)}";
        }
        catch (Exception unreadable) when (unreadable is SchemaRegistryException or HttpRequestException or global::Avro.AvroException or IndexOutOfRangeException or InvalidDataException)
        {
            return $"(schema {id.ToString(CultureInfo.InvariantCulture)} cannot be read: {unreadable.Message}) {Convert.ToBase64String(value)}";
        }
    }

    private static string? Plain(byte[]? bytes)
    {
        if (bytes is null)
            return null;
        try
        {
            string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
            return text.Any(c => char.IsControl(c) && c is not ('\t' or '\n' or '\r')) ? Base64(bytes) : text;
        }
        catch (DecoderFallbackException)
        {
            return Base64(bytes);
        }
    }

    private static string Base64(byte[] bytes) => $"base64:{Convert.ToBase64String(bytes)}";
}
