using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Avro;
using Avro.Generic;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>A decoded Avro value as one line of JSON for people to read: times in RFC 3339, bytes in base64, unions as what they hold.</summary>
internal static class AvroJson
{
    public static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Format(object? value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Options))
            Write(json, value);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static void Write(Utf8JsonWriter json, object? value)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case GenericRecord record:
                json.WriteStartObject();
                foreach (Field field in record.Schema.Fields)
                {
                    json.WritePropertyName(field.Name);
                    Write(json, record.GetValue(field.Pos));
                }

                json.WriteEndObject();
                break;
            case GenericEnum symbol:
                json.WriteStringValue(symbol.Value);
                break;
            case GenericFixed bytes:
                json.WriteBase64StringValue(bytes.Value);
                break;
            case byte[] bytes:
                json.WriteBase64StringValue(bytes);
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case int number:
                json.WriteNumberValue(number);
                break;
            case long number:
                json.WriteNumberValue(number);
                break;
            case float number when float.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                json.WriteNumberValue(number);
                break;
            case DateTime time:
                json.WriteStringValue(time);
                break;
            case IDictionary<string, object?> map:
                json.WriteStartObject();
                foreach ((string key, object? item) in map)
                {
                    json.WritePropertyName(key);
                    Write(json, item);
                }

                json.WriteEndObject();
                break;
            case Array array:
                json.WriteStartArray();
                foreach (object? item in array)
                    Write(json, item);
                json.WriteEndArray();
                break;
            default: // AvroDecimal, TimeSpan, Guid, and the numbers that JSON does not have
                json.WriteStringValue(Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture));
                break;
        }
    }
}
