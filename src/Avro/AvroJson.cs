using System.Globalization;
using System.Numerics;
using System.Text.Encodings.Web;
using System.Text.Json;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// An Avro value of any schema as JSON for people to read: days and times in RFC 3339, bytes in base64, unions as what they hold.
/// </summary>
internal static class AvroJson
{
    public static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="AvroDecodeException">The bytes are not a value of the schema.</exception>
    public static void Write(Utf8JsonWriter json, ref AvroReader reader, AvroSchema schema)
    {
        switch (schema)
        {
            case RecordSchema record:
                reader.Enter();
                json.WriteStartObject();
                foreach (SchemaField field in record.Fields)
                {
                    json.WritePropertyName(field.Name);
                    Write(json, ref reader, field.Schema);
                }

                json.WriteEndObject();
                reader.Leave();
                break;
            case UnionSchema union:
                Write(json, ref reader, union.Branches[reader.ReadIndex(union.Branches.Count)]);
                break;
            case EnumSchema symbols:
                json.WriteStringValue(symbols.Symbols[reader.ReadIndex(symbols.Symbols.Count)]);
                break;
            case FixedSchema bytes:
                WriteBytes(json, reader.ReadFixed(bytes.Size), schema);
                break;
            case ArraySchema array:
                reader.Enter();
                json.WriteStartArray();
                bool mayBeEmpty = array.Items.IsEmpty;
                for (int count = Next(ref reader, mayBeEmpty); count != 0; count = Next(ref reader, mayBeEmpty))
                {
                    for (; count > 0; count--)
                        Write(json, ref reader, array.Items);
                }

                json.WriteEndArray();
                reader.Leave();
                break;
            case MapSchema map:
                reader.Enter();
                json.WriteStartObject();
                for (int count = reader.ReadBlockCount(); count != 0; count = reader.ReadBlockCount())
                {
                    for (; count > 0; count--)
                    {
                        json.WritePropertyName(reader.ReadString());
                        Write(json, ref reader, map.Values);
                    }
                }

                json.WriteEndObject();
                reader.Leave();
                break;
            default:
                WritePrimitive(json, ref reader, schema);
                break;
        }
    }

    private static int Next(ref AvroReader reader, bool mayBeEmpty) => mayBeEmpty ? reader.ReadEmptyCount() : reader.ReadBlockCount();

    private static void WritePrimitive(Utf8JsonWriter json, ref AvroReader reader, AvroSchema schema)
    {
        switch (schema.Kind)
        {
            case SchemaKind.Null:
                json.WriteNullValue();
                break;
            case SchemaKind.Boolean:
                json.WriteBooleanValue(reader.ReadBoolean());
                break;
            case SchemaKind.Int:
                WriteNumber(json, reader.ReadInt(), schema);
                break;
            case SchemaKind.Long:
                WriteNumber(json, reader.ReadLong(), schema);
                break;
            case SchemaKind.Float:
                float single = reader.ReadFloat();
                if (float.IsFinite(single))
                    json.WriteNumberValue(single);
                else
                    json.WriteStringValue(single.ToString(CultureInfo.InvariantCulture));
                break;
            case SchemaKind.Double:
                double number = reader.ReadDouble();
                if (double.IsFinite(number))
                    json.WriteNumberValue(number);
                else
                    json.WriteStringValue(number.ToString(CultureInfo.InvariantCulture));
                break;
            case SchemaKind.Bytes:
                WriteBytes(json, reader.ReadSpan(), schema);
                break;
            default:
                json.WriteStringValue(reader.ReadString());
                break;
        }
    }

    // What the years 1 to 9999 do not have stays a number.
    private static void WriteNumber(Utf8JsonWriter json, long number, AvroSchema schema)
    {
        long ticksPerUnit = schema.Logical?.Kind switch
        {
            LogicalKind.Date => TimeSpan.TicksPerDay,
            LogicalKind.TimestampMillis or LogicalKind.LocalTimestampMillis or LogicalKind.TimeMillis => TimeSpan.TicksPerMillisecond,
            LogicalKind.TimestampMicros or LogicalKind.LocalTimestampMicros or LogicalKind.TimeMicros => TimeSpan.TicksPerMicrosecond,
            _ => 0,
        };
        bool isOfDay = schema.Logical?.Kind is LogicalKind.TimeMillis or LogicalKind.TimeMicros;
        Int128 ticks = (Int128)number * ticksPerUnit + (isOfDay ? 0 : DateTime.UnixEpoch.Ticks);
        if (ticksPerUnit == 0 || ticks < 0 || ticks > (isOfDay ? TimeSpan.TicksPerDay : DateTime.MaxValue.Ticks))
            json.WriteNumberValue(number);
        else if (isOfDay)
            json.WriteStringValue(new TimeSpan((long)ticks).ToString("c", CultureInfo.InvariantCulture));
        else if (schema.Logical?.Kind is LogicalKind.Date)
            // as the HTTP interface has it
            json.WriteStringValue(DateOnly.FromDateTime(new DateTime((long)ticks)).ToString("O", CultureInfo.InvariantCulture));
        else
            json.WriteStringValue(new DateTime((long)ticks,
                schema.Logical?.Kind is LogicalKind.LocalTimestampMillis or LogicalKind.LocalTimestampMicros
                    ? DateTimeKind.Unspecified
                    : DateTimeKind.Utc));
    }

    private static void WriteBytes(Utf8JsonWriter json, ReadOnlySpan<byte> bytes, AvroSchema schema)
    {
        switch (schema.Logical)
        {
            case { Kind: LogicalKind.Decimal } meaning:
                json.WriteStringValue(Decimal(new BigInteger(bytes, isUnsigned: false, isBigEndian: true), meaning.Scale));
                break;
            case { Kind: LogicalKind.Uuid } when bytes.Length == 16:
                json.WriteStringValue(new Guid(bytes, bigEndian: true));
                break;
            default:
                json.WriteBase64StringValue(bytes);
                break;
        }
    }

    private static string Decimal(BigInteger unscaled, int scale)
    {
        string digits = BigInteger.Abs(unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(scale + 1, '0');
        return (unscaled.Sign < 0 ? "-" : "") + (scale == 0 ? digits : $"{digits[..^scale]}.{digits[^scale..]}");
    }
}
