using System.Buffers;
using System.Text;
using System.Text.Json;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>The default of a field, as the field's own schema would encode it.</summary>
internal static class AvroDefault
{
    /// <param name="schema">The schema of the field.</param>
    /// <param name="value">Its default, which <see cref="SchemaDefault.Problem(AvroSchema, JsonElement)"/> has found to be a value of the
    /// schema.</param>
    public static byte[] Encode(AvroSchema schema, JsonElement value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new AvroWriter(buffer);
        Write(ref writer, schema, value);
        writer.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(ref AvroWriter writer, AvroSchema schema, JsonElement value)
    {
        switch (schema)
        {
            case UnionSchema union:
                int branch = SchemaDefault.BranchOf(union, value);
                writer.WriteInt(branch);
                Write(ref writer, union.Branches[branch], value);
                break;
            case RecordSchema record:
                foreach (SchemaField field in record.Fields)
                    Write(ref writer, field.Schema, SchemaDefault.OfField(field, value)!.Value);
                break;
            case ArraySchema array:
                if (value.GetArrayLength() > 0)
                    writer.WriteLong(value.GetArrayLength());
                foreach (JsonElement item in value.EnumerateArray())
                    Write(ref writer, array.Items, item);
                writer.WriteLong(0);
                break;
            case MapSchema map:
                if (value.EnumerateObject().Any())
                    writer.WriteLong(value.EnumerateObject().Count());
                foreach (JsonProperty entry in value.EnumerateObject())
                {
                    writer.WriteString(entry.Name);
                    Write(ref writer, map.Values, entry.Value);
                }

                writer.WriteLong(0);
                break;
            case EnumSchema symbols:
                writer.WriteInt(symbols.IndexOf(value.GetString()!));
                break;
            case FixedSchema:
                writer.WriteFixed(Encoding.Latin1.GetBytes(value.GetString()!));
                break;
            default:
                WritePrimitive(ref writer, schema.Kind, value);
                break;
        }
    }

    private static void WritePrimitive(ref AvroWriter writer, SchemaKind kind, JsonElement value)
    {
        switch (kind)
        {
            case SchemaKind.Boolean:
                writer.WriteBoolean(value.GetBoolean());
                break;
            case SchemaKind.Int:
                writer.WriteInt(value.GetInt32());
                break;
            case SchemaKind.Long:
                writer.WriteLong(value.GetInt64());
                break;
            case SchemaKind.Float:
                writer.WriteFloat(value.GetSingle());
                break;
            case SchemaKind.Double:
                writer.WriteDouble(value.GetDouble());
                break;
            case SchemaKind.Bytes:
                writer.WriteBytes(Encoding.Latin1.GetBytes(value.GetString()!));
                break;
            case SchemaKind.String:
                writer.WriteString(value.GetString()!);
                break;
        }
    }
}
