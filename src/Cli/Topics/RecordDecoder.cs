using System.Text;
using Avro.Generic;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Confluent.SchemaRegistry.Serdes;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>Reads what a record's value is: Avro of a registered schema, text, or neither. Not thread-safe.</summary>
internal sealed class RecordDecoder : IDisposable
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly CachedSchemaRegistryClient _registry;
    private readonly AvroDeserializer<GenericRecord> _avro;

    public RecordDecoder(SchemaRegistryConfig registry)
    {
        _registry = new CachedSchemaRegistryClient(registry);
        _avro = new AvroDeserializer<GenericRecord>(_registry);
    }

    public async Task<RecordValue> Decode(ConsumeResult<byte[]?, byte[]?> record)
    {
        if (record.Message.Value is not { } value)
            return new RecordValue.Tombstone();
        if (!WireFormat.TryReadSchemaId(value, out int id))
            return TextOf(value) is { } text ? new RecordValue.Text(text) : new RecordValue.Bytes(value);
        try
        {
            return new RecordValue.Avro(id, await _avro.DeserializeAsync(value, isNull: false, new SerializationContext(MessageComponentType.Value, record.Topic)).ConfigureAwait(false));
        }
        catch (Exception unreadable) when (unreadable is SchemaRegistryException or HttpRequestException or global::Avro.AvroException or IndexOutOfRangeException or InvalidDataException)
        {
            return new RecordValue.Unreadable(id, unreadable.Message, value);
        }
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
