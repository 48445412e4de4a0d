using System.Text.Json;
using System.Text.Json.Nodes;

namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>One text of a schema and of those that it refers to: each type is where it is first needed. For one call.</summary>
internal sealed class SchemaJoin
{
    private static readonly JsonDocumentOptions Deep = new() { MaxDepth = SchemaParser.MaxDepth };

    private readonly Dictionary<string, (JsonObject Definition, string Namespace)> _referenced = [];
    private readonly HashSet<string> _defined = [];

    private SchemaJoin()
    {
    }

    /// <summary>The last of <paramref name="texts"/> with the types of the others that it needs.</summary>
    /// <exception cref="JsonException">One is not JSON.</exception>
    public static string Of(IReadOnlyList<string> texts)
    {
        if (texts.Count == 1)
            return texts[0];
        var join = new SchemaJoin();
        foreach (string text in texts.SkipLast(1))
            join.Collect(Parse(text), "");
        return join.Take(Parse(texts[^1]), "")!.ToJsonString(new JsonSerializerOptions
        {
            MaxDepth = SchemaParser.MaxDepth,
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        });
    }

    private static JsonNode? Parse(string text) => JsonNode.Parse(text, documentOptions: Deep);

    private void Collect(JsonNode? type, string within)
    {
        if (type is JsonArray union)
        {
            foreach (JsonNode? branch in union)
                Collect(branch, within);
        }
        else if (type is JsonObject defined)
        {
            if (NameOf(defined, within) is { } name)
                _referenced.TryAdd(name.Full, (defined, within = name.Namespace));
            foreach (JsonNode? part in PartsOf(defined))
                Collect(part, within);
        }
    }

    // The type with what it needs in it, free of a parent.
    private JsonNode? Take(JsonNode? type, string within)
    {
        switch (type)
        {
            case JsonValue value when value.TryGetValue(out string? text):
                string full = text.Contains('.') || within.Length == 0 || IsPrimitive(text) ? text : $"{within}.{text}";
                if (!_referenced.ContainsKey(full) && !_defined.Contains(full) && _referenced.ContainsKey(text))
                    full = text;
                if (_defined.Contains(full) || !_referenced.TryGetValue(full, out (JsonObject Definition, string Namespace) found))
                    return value.DeepClone();
                var own = (JsonObject)found.Definition.DeepClone();
                own["name"] = full[(full.LastIndexOf('.') + 1)..];
                own["namespace"] = found.Namespace;
                return Take(own, "");
            case JsonArray union:
                return new JsonArray([.. union.Select(branch => Take(branch, within))]);
            case JsonObject defined:
                if (NameOf(defined, within) is { } name)
                {
                    if (!_defined.Add(name.Full))
                        return JsonValue.Create(name.Full);
                    within = name.Namespace;
                }

                var taken = (JsonObject)defined.DeepClone();
                foreach (string member in (string[])["type", "items", "values"])
                {
                    if (defined[member] is { } part)
                        taken[member] = Take(part, within);
                }

                foreach (JsonObject field in (taken["fields"] as JsonArray ?? []).OfType<JsonObject>())
                    field["type"] = Take(field["type"], within);
                return taken;
            default:
                return type?.DeepClone();
        }
    }

    private static IEnumerable<JsonNode?> PartsOf(JsonObject defined) =>
        [defined["type"], defined["items"], defined["values"], .. (defined["fields"] as JsonArray ?? []).Select(f => f?["type"])];

    private static (string Full, string Namespace)? NameOf(JsonObject defined, string within)
    {
        if (defined["type"] is not JsonValue kind || !kind.TryGetValue(out string? type)
            || type is not ("record" or "error" or "enum" or "fixed") || (string?)defined["name"] is not { } name)
            return null;
        string space = name.Contains('.') ? name[..name.LastIndexOf('.')] : (string?)defined["namespace"] ?? within;
        string simple = name[(name.LastIndexOf('.') + 1)..];
        return (space.Length == 0 ? simple : $"{space}.{simple}", space);
    }

    private static bool IsPrimitive(string name) =>
        name is "null" or "boolean" or "int" or "long" or "float" or "double" or "bytes" or "string";
}
