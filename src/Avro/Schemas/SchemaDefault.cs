using System.Text.Json;

namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>The values that a field's default may be (Avro specification 1.12, "Complex Types", "Records").</summary>
internal static class SchemaDefault
{
    // As deep as readers take a value (AvroLimits.MaxDepth), in records, arrays and maps.
    private const int MaxDepth = 64;
    private const string TooDeep = "it is nested too deep";

    /// <summary>Why <paramref name="value"/> is not a value of <paramref name="schema"/>; null when it is one.</summary>
    public static string? Problem(AvroSchema schema, JsonElement value) => Problem(schema, value, 0);

    /// <summary>The branch whose value the default of a union is: the first that it fits; -1 when it fits none.</summary>
    public static int BranchOf(UnionSchema union, JsonElement value) => BranchOf(union, value, 0);

    /// <summary>The value of a field in the default of its record: its own default stands for one that is not given.</summary>
    public static JsonElement? OfField(SchemaField field, JsonElement record) =>
        record.TryGetProperty(field.Name, out JsonElement given) ? given : field.Default;

    private static string? Problem(AvroSchema schema, JsonElement value, int depth) => schema switch
    {
        UnionSchema union => BranchOf(union, value, depth) >= 0 ? null : Unfit(schema, value),
        ArraySchema or MapSchema or RecordSchema when depth >= MaxDepth => TooDeep,
        ArraySchema array => value.ValueKind == JsonValueKind.Array
            ? First(value.EnumerateArray().Select(item => Problem(array.Items, item, depth + 1)))
            : Unfit(schema, value),
        MapSchema map => value.ValueKind == JsonValueKind.Object
            ? First(value.EnumerateObject().Select(p => Problem(map.Values, p.Value, depth + 1)))
            : Unfit(schema, value),
        RecordSchema record => value.ValueKind == JsonValueKind.Object
            ? First(record.Fields.Select(field => FieldProblem(field, value, depth + 1)))
            : Unfit(schema, value),
        EnumSchema symbols => value.ValueKind == JsonValueKind.String && IsText(value) && symbols.IndexOf(value.GetString()!) >= 0
            ? null
            : Unfit(schema, value),
        FixedSchema bytes => IsBytes(value) && value.GetString()!.Length == bytes.Size ? null : Unfit(schema, value),
        _ => IsPrimitive(schema.Kind, value) ? null : Unfit(schema, value),
    };

    private static int BranchOf(UnionSchema union, JsonElement value, int depth)
    {
        for (int i = 0; i < union.Branches.Count; i++)
        {
            if (Problem(union.Branches[i], value, depth) is null)
                return i;
        }

        return -1;
    }

    // The default of a field may leave out a field of its own type, and so on without end.
    private static string? FieldProblem(SchemaField field, JsonElement record, int depth) =>
        OfField(field, record) is { } value ? Problem(field.Schema, value, depth)
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

    private static string? First(IEnumerable<string?> problems) => problems.FirstOrDefault(p => p is not null);

    private static string Unfit(AvroSchema schema, JsonElement value)
    {
        string text = value.GetRawText();
        return $"{(text.Length <= 60 ? text : text[..59] + "…")} is not a value of {schema}";
    }
}
