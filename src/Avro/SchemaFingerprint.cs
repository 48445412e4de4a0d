using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Avro;

/// <summary>
/// A short name of a schema that changes with what its values are: names, types, symbols, logical types and defaults. Documentation,
/// aliases and the layout of the text leave it as it is, and so do the machine's time zone and language.
/// </summary>
internal static class SchemaFingerprint
{
    private const int Bytes = 8;

    public static string Of(AvroSchema schema)
    {
        var text = new StringBuilder();
        Write(text, schema, []);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())).AsSpan(0, Bytes));
    }

    private static void Write(StringBuilder text, AvroSchema schema, HashSet<NamedSchema> written)
    {
        text.Append(AvroSchema.NameOf(schema.Kind));
        if (schema.Logical is { } meaning)
            text.Append(CultureInfo.InvariantCulture, $"({meaning})");
        if (schema is NamedSchema named)
        {
            text.Append(' ').Append(named.FullName);
            if (!written.Add(named))
                return;
        }

        text.Append('{');
        switch (schema)
        {
            case RecordSchema record:
                foreach (SchemaField field in record.Fields)
                {
                    text.Append(field.Name).Append(field.IsPersonal ? "!:" : ":"); // what was stored in plain text is not the same
                    Write(text, field.Schema, written);
                    if (field.Default is { } value)
                        text.Append('=').Append(JsonSerializer.Serialize(value)); // on one line, digits and escapes as one writer has them
                    text.Append(';');
                }

                break;
            case EnumSchema symbols:
                text.AppendJoin(',', symbols.Symbols);
                break;
            case FixedSchema bytes:
                text.Append(bytes.Size);
                break;
            case ArraySchema array:
                Write(text, array.Items, written);
                break;
            case MapSchema map:
                Write(text, map.Values, written);
                break;
            case UnionSchema union:
                foreach (AvroSchema branch in union.Branches)
                {
                    Write(text, branch, written);
                    text.Append('|');
                }

                break;
        }

        text.Append('}');
    }
}
