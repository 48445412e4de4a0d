using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>A record for people (some lines: place, time and key, headers, value) or for programs (a line of JSON).</summary>
internal static class RecordFormat
{
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public static string Text(ConsumeResult<byte[]?, byte[]?> record, RecordValue value, DeadLetterResolution? discarded = null)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture,
            $"{record.Partition.Value}@{record.Offset.Value}  {TimeOf(record)}  {Shown(record.Message.Key) ?? "(no key)"}");
        foreach (IHeader header in record.Message.Headers)
            text.Append(CultureInfo.InvariantCulture, $"\n    {PlainText.Escape(header.Key)}: {Shown(header.GetValueBytes()) ?? "(null)"}");
        if (discarded is not null)
            text.Append(CultureInfo.InvariantCulture,
                $"\n  discarded by {PlainText.Escape(discarded.By)}, {discarded.Time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss'Z'}: "
                    + $"{PlainText.Escape(discarded.Reason ?? "")}; readers pass it over");
        return text.Append("\n  ").Append(value switch
        {
            RecordValue.Avro avro => $"{avro.Type} {avro.Json}",
            RecordValue.Text plain => PlainText.Escape(plain.Value),
            RecordValue.Bytes bytes => Base64(bytes.Value),
            RecordValue.Unreadable unreadable =>
                $"(schema {unreadable.Schema} cannot be read: {unreadable.Why}) {Base64(unreadable.Value)}",
            _ => "(tombstone)",
        }).ToString();
    }

    /// <summary>Bytes that are not text are in a field of their own, in base64; a header that comes twice is an array.</summary>
    public static string Json(ConsumeResult<byte[]?, byte[]?> record, RecordValue value, DeadLetterResolution? discarded = null)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, AvroJson.Options))
        {
            json.WriteStartObject();
            json.WriteString("topic", record.Topic);
            json.WriteNumber("partition", record.Partition.Value);
            json.WriteNumber("offset", record.Offset.Value);
            json.WriteString("timestamp", TimeOf(record));
            WriteBytes(json, "key", record.Message.Key);
            json.WriteStartObject("headers");
            foreach (IGrouping<string, IHeader> header in record.Message.Headers.GroupBy(h => h.Key))
                WriteHeader(json, header.Key, [.. header]);
            json.WriteEndObject();
            WriteValue(json, value);
            if (discarded is not null)
            {
                json.WriteStartObject("discarded");
                json.WriteString("by", discarded.By);
                json.WriteString("reason", discarded.Reason);
                json.WriteString("time", discarded.Time.UtcDateTime);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteHeader(Utf8JsonWriter json, string name, IHeader[] values)
    {
        if (values is [var one])
        {
            json.WriteString(name, Plain(one.GetValueBytes()));
            return;
        }

        json.WriteStartArray(name);
        foreach (IHeader value in values)
            json.WriteStringValue(Plain(value.GetValueBytes()));
        json.WriteEndArray();
    }

    private static void WriteValue(Utf8JsonWriter json, RecordValue value)
    {
        switch (value)
        {
            case RecordValue.Avro avro:
                WriteSchema(json, avro.Schema);
                json.WriteString("schema", avro.Type);
                json.WritePropertyName("value");
                json.WriteRawValue(avro.Json, skipInputValidation: true);
                break;
            case RecordValue.Text text:
                json.WriteString("value", text.Value);
                break;
            case RecordValue.Bytes bytes:
                json.WriteBase64String("valueBase64", bytes.Value);
                break;
            case RecordValue.Unreadable unreadable:
                WriteSchema(json, unreadable.Schema);
                json.WriteString("error", unreadable.Why);
                json.WriteBase64String("valueBase64", unreadable.Value);
                break;
            default:
                json.WriteNull("value");
                break;
        }
    }

    private static void WriteSchema(Utf8JsonWriter json, SchemaName schema)
    {
        if (schema.Guid is { } guid)
            json.WriteString("schemaGuid", guid);
        else
            json.WriteNumber("schemaId", schema.Id);
    }

    private static void WriteBytes(Utf8JsonWriter json, string name, byte[]? bytes)
    {
        if (bytes is null)
            json.WriteNull(name);
        else if (RecordDecoder.TextOf(bytes) is { } text)
            json.WriteString(name, text);
        else
            json.WriteBase64String($"{name}Base64", bytes);
    }

    private static string TimeOf(ConsumeResult<byte[]?, byte[]?> record)
    {
        long milliseconds = record.Message.Timestamp.UnixTimestampMs;
        // Kafka keeps whatever 64 bits a producer gave.
        return milliseconds >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
            && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
            ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).ToString(TimeFormat, CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{milliseconds} ms");
    }

    // Whoever has written the record must not write on the operator's screen.
    private static string? Shown(byte[]? bytes) => Plain(bytes) is { } text ? PlainText.Escape(text) : null;

    private static string? Plain(byte[]? bytes) => bytes is null ? null : RecordDecoder.TextOf(bytes) ?? Base64(bytes);

    private static string Base64(byte[] bytes) => $"base64:{Convert.ToBase64String(bytes)}";
}
