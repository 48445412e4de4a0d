using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>
/// The one text of all Avro schemas that mean the same, which is what Confluent's registry keeps when it is asked to normalize: the
/// attributes in the order of Avro's own writer, names relative to the namespace they are in, aliases and properties sorted, without what
/// is the default anyway.
/// </summary>
internal static class SchemaNormalization
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly string[] Primitives = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
    private static readonly string[] OfSchemas = ["type", "name", "namespace", "doc", "aliases", "fields", "items", "values",
        "symbols", "size"];
    private static readonly string[] OfEnums = [.. OfSchemas, "default"];
    private static readonly string[] OfFields = ["name", "type", "doc", "default", "order", "aliases"];
    private static readonly string[] First = ["logicalType", "precision", "scale"];

    /// <param name="schema">A schema that Avro takes.</param>
    public static string Normalize(string schema)
    {
        try
        {
            return Schema(Parse(schema), space: "")!.ToJsonString(Plain);
        }
        catch (JsonException)
        {
            return schema; // Apache.Avro takes a bare type name without quotes
        }
    }

    /// <summary>The schema as it is, but with the full names of types wherever one is given.</summary>
    /// <param name="schema">A schema that Avro takes.</param>
    public static JsonNode? Qualified(string schema)
    {
        try
        {
            JsonNode? json = Parse(schema);
            return json is JsonValue ? json : Qualified(json, "");
        }
        catch (JsonException)
        {
            return JsonValue.Create(schema); // a bare type name without quotes
        }
    }

    private static JsonNode? Parse(string schema) =>
        JsonNode.Parse(schema, documentOptions: new JsonDocumentOptions { MaxDepth = SchemaParser.MaxDepth });

    private static JsonNode? Qualified(JsonNode? schema, string space)
    {
        switch (schema)
        {
            case JsonArray union:
                return new JsonArray([.. union.Select(branch => Qualified(branch, space))]);
            case JsonObject composite:
                var qualified = new JsonObject();
                bool isNamed = composite["name"] is not null && composite["type"] is JsonValue;
                if (isNamed)
                    space = AddNames([], composite, space);
                foreach ((string name, JsonNode? value) in composite)
                {
                    if (name == "name" && isNamed)
                        qualified[name] = Full(((string)value!)[(((string)value!).LastIndexOf('.') + 1)..], space);
                    else if (name == "aliases" && isNamed && value is JsonArray aliases)
                        qualified[name] = new JsonArray([.. aliases.Select(a => JsonValue.Create(Full((string)a!, space)))]);
                    else if (name == "fields" && value is JsonArray fields)
                        qualified[name] = new JsonArray([.. fields.Select(field => QualifiedField(field!.AsObject(), space))]);
                    else if (name is "type" or "items" or "values" && (name != "type" || value is not JsonValue))
                        qualified[name] = Qualified(value, space);
                    else if (name != "namespace" || !isNamed)
                        qualified[name] = value?.DeepClone();
                }

                return qualified;
            default:
                return (string)schema! is var type && Primitives.Contains(type)
                    ? JsonValue.Create(type)
                    : JsonValue.Create(Full(type, space));
        }
    }

    private static JsonObject QualifiedField(JsonObject field, string space) =>
        new(field.Select(p => KeyValuePair.Create(p.Key, p.Key == "type" ? Qualified(p.Value, space) : p.Value?.DeepClone())));

    private static JsonNode? Schema(JsonNode? schema, string space) => schema switch
    {
        JsonArray union => new JsonArray([.. union.Select(branch => Schema(branch, space))]),
        JsonObject { } composite when composite["type"] is not JsonValue => Schema(composite["type"], space),
        JsonObject { } composite => Composite(composite, (string)composite["type"]!, space),
        _ => Name((string)schema!, space),
    };

    private static JsonNode Composite(JsonObject schema, string type, string space)
    {
        var normal = new JsonObject { ["type"] = type };
        switch (type)
        {
            case "record" or "error":
                space = AddNames(normal, schema, space);
                normal["fields"] = new JsonArray([.. schema["fields"]!.AsArray().Select(field => Field(field!.AsObject(), space))]);
                break;
            case "enum":
                space = AddNames(normal, schema, space);
                normal["symbols"] = schema["symbols"]!.DeepClone();
                Add(normal, "default", schema["default"]);
                AddProperties(normal, schema, OfEnums);
                AddAliases(normal, schema, space);
                return normal;
            case "fixed":
                space = AddNames(normal, schema, space);
                normal["size"] = schema["size"]!.DeepClone();
                break;
            case "array":
                normal["items"] = Schema(schema["items"], space);
                break;
            case "map":
                normal["values"] = Schema(schema["values"], space);
                break;
        }

        AddProperties(normal, schema, OfSchemas);
        AddAliases(normal, schema, space);
        return normal.Count == 1 ? Name(type, space) : normal;
    }

    private static JsonNode? Field(JsonObject field, string space)
    {
        var normal = new JsonObject { ["name"] = field["name"]!.DeepClone(), ["type"] = Schema(field["type"], space) };
        Add(normal, "doc", field["doc"]);
        if (field.TryGetPropertyValue("default", out JsonNode? value))
            normal["default"] = Sorted(value);
        if (field["order"] is { } order && (string?)order != "ascending")
            normal["order"] = order.DeepClone();
        if (field["aliases"] is JsonArray { Count: > 0 } aliases)
            normal["aliases"] = new JsonArray(
                [.. aliases.Select(a => (string)a!).Distinct().Order(StringComparer.Ordinal).Select(a => JsonValue.Create(a))]);
        AddProperties(normal, field, OfFields);
        return normal;
    }

    // The namespace that names within the type are in.
    private static string AddNames(JsonObject normal, JsonObject schema, string space)
    {
        string name = (string)schema["name"]!;
        int dot = name.LastIndexOf('.');
        string own = dot >= 0 ? name[..dot] : (string?)schema["namespace"] ?? space;
        normal["name"] = name[(dot + 1)..];
        if (own != space)
            normal["namespace"] = own;
        if ((string?)schema["doc"] is { Length: > 0 } doc)
            normal["doc"] = doc;
        return own;
    }

    private static void AddAliases(JsonObject normal, JsonObject schema, string space)
    {
        if (schema["aliases"] is JsonArray { Count: > 0 } aliases && normal.ContainsKey("name"))
            normal["aliases"] = new JsonArray(
                [.. aliases.Select(a => Full((string)a!, space)).Distinct().Order(StringComparer.Ordinal).Select(a => Name(a, space))]);
    }

    private static void AddProperties(JsonObject normal, JsonObject schema, string[] reserved)
    {
        foreach ((string name, JsonNode? value) in schema.Where(p => !reserved.Contains(p.Key)).OrderBy(p =>
            Array.IndexOf(First, p.Key) is >= 0 and int at ? at : First.Length).ThenBy(p => p.Key, StringComparer.Ordinal))
            normal[name] = Sorted(value);
    }

    private static void Add(JsonObject normal, string name, JsonNode? value)
    {
        if (value is not null)
            normal[name] = value.DeepClone();
    }

    private static string Full(string name, string space) =>
        name.Contains('.', StringComparison.Ordinal) || space.Length == 0 ? name : $"{space}.{name}";

    private static JsonNode Name(string name, string space) =>
        JsonValue.Create(!Primitives.Contains(name)
            && space.Length > 0
            && name.StartsWith(space + ".", StringComparison.Ordinal)
            && name.IndexOf('.', space.Length + 1) < 0 ? name[(space.Length + 1)..] : name);

    private static JsonNode? Sorted(JsonNode? value) => value switch
    {
        JsonObject json =>
            new JsonObject(json.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Sorted(p.Value)))),
        JsonArray array => new JsonArray([.. array.Select(Sorted)]),
        _ => value?.DeepClone(),
    };
}
