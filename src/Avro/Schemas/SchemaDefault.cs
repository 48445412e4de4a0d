using System.Text.Json;

namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>The values that a field's default may be (Avro specification 1.12, "Complex Types", "Records").</summary>
internal static class SchemaDefault
{
    // As deep as readers take a value (AvroLimits.MaxDepth), in records, arrays and maps.
    private const int MaxDepth = 64;
    private const string TooDeep = "it is nested too deep";

    // The default of a record makes those of its fields, and so on: a few types can make more values than there is room for.
    private const int MaxValues = 100_000;
    private const string TooMany = "it has too many values";

    /// <summary>Why <paramref name="value"/> is not a value of <paramref name="schema"/>; null when it is one.</summary>
    public static string? Problem(AvroSchema schema, JsonElement value)
    {
        int values = 0;
        return Problem(schema, value, 0, ref values);
    }

    /// <summary>The branch whose value the default of a union is: the first that it fits; -1 when it fits none.</summary>
    public static int BranchOf(UnionSchema union, JsonElement value)
    {
        int values = 0;
        return BranchOf(union, value, 0, ref values);
    }

    /// <summary>The value of a field in the default of its record: its own default stands for one that is not given.</summary>
    public static JsonElement? OfField(SchemaField field, JsonElement record) =>
        record.TryGetProperty(field.Name, out JsonElement given) ? given : field.Default;

    private static string? Problem(AvroSchema schema, JsonElement value, int depth, ref int values)
    {
        if (++values > MaxValues)
            return TooMany;
        switch (schema)
        {
            case UnionSchema union:
                return BranchOf(union, value, depth, ref values) >= 0 ? null : values > MaxValues ? TooMany : Unfit(schema, value);
            case ArraySchema or MapSchema or RecordSchema when depth >= MaxDepth:
                return TooDeep;
            case ArraySchema array when value.ValueKind == JsonValueKind.Array:
                foreach (JsonElement item in value.EnumerateArray())
                {
                    if (Problem(array.Items, item, depth + 1, ref values) is { } problem)
                        return problem;
                }

                return null;
            case MapSchema map when value.ValueKind == JsonValueKind.Object:
                foreach (JsonProperty entry in value.EnumerateObject())
                {
                    if (Problem(map.Values, entry.Value, depth + 1, ref values) is { } problem)
                        return problem;
                }

                return null;
            case RecordSchema record when value.ValueKind == JsonValueKind.Object:
                foreach (SchemaField field in record.Fields)
                {
                    if (FieldProblem(field, value, depth + 1, ref values) is { } problem)
                        return problem;
                }

                return null;
            case EnumSchema symbols when value.ValueKind == JsonValueKind.String
                && IsText(value)
                && symbols.IndexOf(value.GetString()!) >= 0:
            case FixedSchema bytes when IsBytes(value) && value.GetString()!.Length == bytes.Size:
            case PrimitiveSchema when IsPrimitive(schema.Kind, value):
                return null;
            default:
                return Unfit(schema, value);
        }
    }

    private static int BranchOf(UnionSchema union, JsonElement value, int depth, ref int values)
    {
        for (int i = 0; i < union.Branches.Count && values <= MaxValues; i++)
        {
            if (Problem(union.Branches[i], value, depth, ref values) is null)
                return i;
        }

        return -1;
    }

    // The default of a field may leave out a field of its own type, and so on without end.
    private static string? FieldProblem(SchemaField field, JsonElement record, int depth, ref int values) =>
        OfField(field, record) is { } value ? Problem(field.Schema, value, depth, ref values)
        : $"it has no {field.Name}";

    private static bool IsPrimitive(SchemaKind kind, JsonElement value) => kind switch
    {
        SchemaKind.Null => value.ValueKind == JsonValueKind.Null,
        SchemaKind.Boolean => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        SchemaKind.Int => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out _),
        SchemaKind.Long => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        SchemaKind.Float => value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) && float.IsFinite(number),
        SchemaKind.Double => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number),
        SchemaKind.Bytes => IsBytes(value),
        SchemaKind.String => value.ValueKind == JsonValueKind.String && IsText(value),
        _ => false,
    };

    private static bool IsBytes(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && IsText(value) && value.GetString()!.All(c => c <= byte.MaxValue);

    // An escape can spell half a character.
    private static bool IsText(JsonElement value)
    {
        try
        {
            return value.GetString() is not null;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static string Unfit(AvroSchema schema, JsonElement value)
    {
        string text = value.GetRawText();
        return $"{(text.Length <= 60 ? text : text[..59] + "…")} is not a value of {schema}";
    }
}
