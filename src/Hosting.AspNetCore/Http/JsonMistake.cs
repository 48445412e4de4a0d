using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Hosting.Http;

/// <summary>
/// Finds what is wrong with a body that the serializer has refused, and says it in words of JSON: by the names of its fields, and by what
/// they must be. The serializer's own messages name .NET types.
/// </summary>
internal static class JsonMistake
{
    private const int MaxNamed = 20;

    /// <summary>The first mistake of <paramref name="json"/>; null: none was found.</summary>
    public static InvalidInputException? Find(ReadOnlyMemory<byte> json, Type type)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = JsonFormat.Options.MaxDepth });
            return Find(document.RootElement, type, "$");
        }
        catch (JsonException malformed)
        {
            int end = malformed.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
            return new InvalidInputException("$", string.Create(CultureInfo.InvariantCulture,
                $"The body is not JSON, in line {(malformed.LineNumber ?? 0) + 1} at "
                    + $"byte {(malformed.BytePositionInLine ?? 0) + 1}: {(end < 0 ? malformed.Message : malformed.Message[..end])}"),
                    malformed);
        }
        catch (InvalidOperationException halfCharacter) // out of a text or a name that is not Unicode, such as a lone surrogate
        {
            return new InvalidInputException("$", "A text of the body is not valid Unicode: it has half a character.", halfCharacter);
        }
    }

    private static InvalidInputException? Find(JsonElement value, Type type, string path)
    {
        // Of what may be null the serializer knows no fields.
        JsonTypeInfo info = JsonFormat.Options.GetTypeInfo(
            value.ValueKind == JsonValueKind.Null ? type : Nullable.GetUnderlyingType(type) ?? type);
        return info.Kind switch
        {
            JsonTypeInfoKind.Object when value.ValueKind == JsonValueKind.Object => FindInObject(value, info, path),
            JsonTypeInfoKind.Dictionary when value.ValueKind == JsonValueKind.Object => FindInMap(value, info.ElementType!, path),
            JsonTypeInfoKind.Enumerable when value.ValueKind == JsonValueKind.Array => FindInArray(value, info.ElementType!, path),
            JsonTypeInfoKind.Object or JsonTypeInfoKind.Dictionary when value.ValueKind != JsonValueKind.Null =>
                Wrong(path, "must be an object"),
            JsonTypeInfoKind.Enumerable when value.ValueKind != JsonValueKind.Null => Wrong(path, "must be an array"),
            _ when AvroUnion.BranchesOf(type) is { Count: > 0 } branches => FindInUnion(value, type, branches, path),
            _ => IsTaken(value, type) ? null : Wrong(path, $"must be {Described(type)}"),
        };
    }

    private static InvalidInputException? FindInObject(JsonElement value, JsonTypeInfo info, string path)
    {
        var seen = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (JsonProperty given in value.EnumerateObject())
        {
            string place = $"{path}.{given.Name}";
            if (!seen.TryAdd(given.Name, given.Name))
                return Twice(place, seen[given.Name], given.Name);
            JsonPropertyInfo? field = info.Properties.FirstOrDefault(p => p.Name.Equals(given.Name, StringComparison.OrdinalIgnoreCase));
            if (field is null)
                return Wrong(place, info.Properties.Count == 0
                    ? "is not a field here; there are none"
                    : $"is not a field here; there are {string.Join(", ", info.Properties.Take(MaxNamed).Select(p => p.Name))}");
            if (given.Value.ValueKind == JsonValueKind.Null && !(field.IsSetNullable && IsTaken(given.Value, field.PropertyType)))
                return Wrong(place, $"is null; it must be {Described(field.PropertyType)}");
            if (given.Value.ValueKind != JsonValueKind.Null && Find(given.Value, field.PropertyType, place) is { } inside)
                return inside;
        }

        return info.Properties.FirstOrDefault(p => p.IsRequired && !seen.ContainsKey(p.Name)) is { } missing
            ? Wrong($"{path}.{missing.Name}", $"is missing; it must be {Described(missing.PropertyType)}")
            : null;
    }

    private static InvalidInputException? FindInUnion(JsonElement value, Type type, IReadOnlyList<AvroBranch> branches, string path)
    {
        JsonProperty[] given = value.ValueKind == JsonValueKind.Object ? [.. value.EnumerateObject().Take(2)] : [];
        if (given.Length != 1 || branches.FirstOrDefault(b => b.Name == given[0].Name) is not { } branch)
            return Wrong(path,
                $"must be an object with one field, one of {string.Join(", ", branches.Take(MaxNamed).Select(b => b.Name))}");
        string place = $"{path}.{branch.Name}";
        if (given[0].Value.ValueKind == JsonValueKind.Null)
            return Wrong(place, $"is null; it must be {Described(branch.ValueType)}");
        return Find(given[0].Value, branch.ValueType, place)
            ?? (IsTaken(value, type) ? null : Wrong(place, $"must be {Described(branch.ValueType)}"));
    }

    // The keys of a map are data: those that differ in case only are two.
    private static InvalidInputException? FindInMap(JsonElement value, Type elementType, string path)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonProperty given in value.EnumerateObject())
        {
            string place = $"{path}.{given.Name}";
            if (!seen.Add(given.Name))
                return Twice(place, given.Name, given.Name);
            if (Find(given.Value, elementType, place) is { } inside)
                return inside;
        }

        return null;
    }

    private static InvalidInputException? FindInArray(JsonElement value, Type elementType, string path)
    {
        int index = 0;
        foreach (JsonElement element in value.EnumerateArray())
        {
            if (Find(element, elementType, string.Create(CultureInfo.InvariantCulture, $"{path}[{index++}]")) is { } inside)
                return inside;
        }

        return null;
    }

    private static bool IsTaken(JsonElement value, Type type)
    {
        try
        {
            object? read = value.Deserialize(type, JsonFormat.Options);
            return read is not null || !type.IsValueType || Nullable.GetUnderlyingType(type) is not null;
        }
        catch (Exception refused) when (refused is JsonException or FormatException or OverflowException or NotSupportedException)
        {
            return false;
        }
    }

    private static string Described(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type switch
        {
            _ when type.IsEnum => $"one of {string.Join(", ", Enum.GetNames(type).Take(MaxNamed))}",
            _ when type == typeof(bool) => "true or false",
            _ when type == typeof(int) => "a whole number of 32 bits",
            _ when type == typeof(uint) => "a whole number from 0 to 4,294,967,295", // of a duration
            _ when type == typeof(long) => "a whole number of 64 bits",
            _ when type == typeof(float) => "a number of at most 3.4E+38",
            _ when type == typeof(double) => "a number of at most 1.7E+308",
            _ when type == typeof(decimal) || type == typeof(AvroDecimal) => "a decimal number, as text or a number",
            _ when type == typeof(string) => "a text",
            _ when type == typeof(DateOnly) => "a day such as 2026-01-31",
            _ when type == typeof(DateTime) => "a time without an offset such as 2026-01-31T12:00:00",
            _ when type == typeof(DateTimeOffset) => "a time with its offset such as 2026-01-31T12:00:00Z",
            _ when type == typeof(TimeOnly) || type == typeof(TimeSpan) => "a time of day such as 12:00:00",
            _ when type == typeof(Guid) => "a UUID",
            _ when type == typeof(byte[]) => "bytes in base64",
            _ => JsonFormat.Options.GetTypeInfo(type).Kind switch
            {
                JsonTypeInfoKind.Object or JsonTypeInfoKind.Dictionary => "an object",
                JsonTypeInfoKind.Enumerable => "an array",
                _ => "what /docs shows",
            },
        };
    }

    private static InvalidInputException Wrong(string path, string what) =>
        new(path, $"{path[(path.Length > 2 ? 2 : 0)..]} {what}.".Replace("$ ", "The body ", StringComparison.Ordinal));

    private static InvalidInputException Twice(string path, string first, string second) =>
        new(path, first == second
            ? $"{path[2..]} is given twice; give it once."
            : $"{path[2..]} is given twice, as '{first}' and as '{second}'; give it once.");
}
