using System.Globalization;
using System.Text.Json;

namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>
/// Reads schemas from their JSON (Avro specification 1.12, "Schema Declaration"). One parser reads the schemas that refer to each other by
/// name, those that are referred to first. It does not change what it reads: texts that look like dates stay texts, numbers keep all their
/// digits.
/// </summary>
internal sealed class SchemaParser
{
    /// <summary>How deep the JSON of a schema may be nested.</summary>
    public const int MaxDepth = 512;

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = MaxDepth };

    private static readonly Dictionary<string, SchemaKind> Primitives = Enumerable.Range((int)SchemaKind.Null, (int)SchemaKind.String + 1)
        .ToDictionary(kind => AvroSchema.NameOf((SchemaKind)kind), kind => (SchemaKind)kind);

    private readonly Dictionary<string, NamedSchema> _names = new(StringComparer.Ordinal);

    /// <summary>A schema that refers to no other.</summary>
    /// <exception cref="SchemaParseException">It is not a schema.</exception>
    public static AvroSchema Parse(string json) => new SchemaParser().Read(json);

    /// <summary>Reads a schema; it may name those that were read before.</summary>
    /// <exception cref="SchemaParseException">It is not a schema, or defines a name that is taken.</exception>
    public AvroSchema Read(string json)
    {
        // A bare name is not JSON; clients send it all the same.
        if (Primitives.TryGetValue(json.Trim(), out SchemaKind bare))
            return new PrimitiveSchema(bare);
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            return Read(document.RootElement.Clone(), "");
        }
        catch (JsonException malformed)
        {
            throw new SchemaParseException($"It is not JSON: {malformed.Message}", malformed);
        }
        catch (InvalidOperationException surrogate) // JSON's escapes can spell half a character
        {
            throw new SchemaParseException($"It has a text that is not Unicode: {surrogate.Message}", surrogate);
        }
    }

    public static bool IsName(string name) =>
        name.Length > 0 && (char.IsLetter(name[0]) || name[0] == '_') && name.All(c => char.IsLetterOrDigit(c) || c == '_');

    private AvroSchema Read(JsonElement schema, string space) => schema.ValueKind switch
    {
        JsonValueKind.String => Find(schema.GetString()!, space),
        JsonValueKind.Array => ReadUnion(schema, space),
        JsonValueKind.Object => ReadObject(schema, space),
        _ => throw new SchemaParseException($"{schema.GetRawText()} is not a schema: a name, an object, or a union in an array is."),
    };

    private AvroSchema ReadObject(JsonElement schema, string space)
    {
        JsonElement type = Member(schema, "type", "A schema that is an object needs a \"type\"");
        if (type.ValueKind != JsonValueKind.String)
            return Read(type, space);
        string name = type.GetString()!;
        if (Primitives.TryGetValue(name, out SchemaKind primitive))
            return new PrimitiveSchema(primitive, LogicalType.Read(schema, primitive));
        return name switch
        {
            "record" or "error" => ReadRecord(schema, space),
            "enum" => ReadEnum(schema, space),
            "fixed" => ReadFixed(schema, space),
            "array" => new ArraySchema(Read(Member(schema, "items", "An array needs \"items\""), space)),
            "map" => new MapSchema(Read(Member(schema, "values", "A map needs \"values\""), space)),
            _ => Find(name, space),
        };
    }

    private UnionSchema ReadUnion(JsonElement schema, string space)
    {
        var branches = new List<AvroSchema>(schema.GetArrayLength());
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonElement item in schema.EnumerateArray())
        {
            AvroSchema branch = Read(item, space);
            if (branch is UnionSchema)
                throw new SchemaParseException("A union contains a union.");
            if (!seen.Add(branch is NamedSchema named ? named.FullName : AvroSchema.NameOf(branch.Kind)))
                throw new SchemaParseException($"A union contains {branch} twice.");
            branches.Add(branch);
        }

        return new UnionSchema(branches);
    }

    private RecordSchema ReadRecord(JsonElement schema, string space)
    {
        string fullName = FullName(schema, space);
        var record = new RecordSchema(fullName, Aliases(schema, SpaceOf(fullName)));
        Define(record);
        JsonElement list = Member(schema, "fields", $"The record {fullName} needs \"fields\"");
        if (list.ValueKind != JsonValueKind.Array)
            throw new SchemaParseException($"The \"fields\" of the record {fullName} are not an array.");
        var fields = new List<SchemaField>(list.GetArrayLength());
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (JsonElement item in list.EnumerateArray())
        {
            SchemaField field = ReadField(item, record);
            if (!names.Add(field.Name))
                throw new SchemaParseException($"The record {fullName} has the field {field.Name} twice.");
            fields.Add(field);
        }

        record.Fill(fields);
        return record;
    }

    private SchemaField ReadField(JsonElement item, RecordSchema record)
    {
        if (item.ValueKind != JsonValueKind.Object)
            throw new SchemaParseException($"A field of the record {record.FullName} is not an object.");
        string name = Text(item, "name") ?? throw new SchemaParseException($"A field of the record {record.FullName} needs a \"name\".");
        if (!IsName(name))
            throw new SchemaParseException(
                $"'{name}' is not the name of a field of {record.FullName}: letters, digits and underscores are, no digit first.");
        AvroSchema schema = Read(Member(item, "type", $"The field {name} of {record.FullName} needs a \"type\""), record.Namespace);
        return new SchemaField(name, schema, Texts(item, "aliases"), item.TryGetProperty("default", out JsonElement value) ? value : null)
        {
            IsPersonal = HasTag(item),
        };
    }

    // PersonalValues.Tag; of a schema of others the tags may be anything.
    private static bool HasTag(JsonElement field) =>
        field.TryGetProperty("confluent:tags", out JsonElement tags)
            && tags.ValueKind == JsonValueKind.Array
            && tags.EnumerateArray().Any(t => t.ValueKind == JsonValueKind.String && t.ValueEquals("PII"));

    private EnumSchema ReadEnum(JsonElement schema, string space)
    {
        string fullName = FullName(schema, space);
        IReadOnlyList<string> symbols = Texts(schema, "symbols");
        foreach (string symbol in symbols)
        {
            if (!IsName(symbol))
                throw new SchemaParseException(
                    $"'{symbol}' is not a symbol of the enum {fullName}: letters, digits and underscores are, no digit first.");
        }

        if (symbols.Distinct(StringComparer.Ordinal).Count() != symbols.Count || !schema.TryGetProperty("symbols", out _))
            throw new SchemaParseException($"The enum {fullName} needs \"symbols\", each once.");
        string? fallback = Text(schema, "default");
        if (fallback is not null && !symbols.Contains(fallback))
            throw new SchemaParseException($"The default '{fallback}' is not a symbol of the enum {fullName}.");
        var named = new EnumSchema(fullName, Aliases(schema, SpaceOf(fullName)), symbols, fallback);
        Define(named);
        return named;
    }

    private FixedSchema ReadFixed(JsonElement schema, string space)
    {
        string fullName = FullName(schema, space);
        JsonElement given = Member(schema, "size", $"The fixed {fullName} needs a \"size\"");
        if (given.ValueKind != JsonValueKind.Number || !given.TryGetInt32(out int size) || size < 0)
            throw new SchemaParseException($"The size of the fixed {fullName} is not a number of bytes.");
        var named = new FixedSchema(fullName, Aliases(schema, SpaceOf(fullName)), size, LogicalType.Read(schema, SchemaKind.Fixed, size));
        Define(named);
        return named;
    }

    private AvroSchema Find(string name, string space)
    {
        if (Primitives.TryGetValue(name, out SchemaKind primitive))
            return new PrimitiveSchema(primitive);
        if (_names.TryGetValue(Qualified(name, space), out NamedSchema? known) || _names.TryGetValue(name, out known))
            return known;
        throw new SchemaParseException($"The type '{name}' is not known: it is not a type of Avro, and no schema before it defines it.");
    }

    private void Define(NamedSchema schema)
    {
        if (Primitives.ContainsKey(schema.FullName))
            throw new SchemaParseException($"A type cannot be called {schema.FullName}: that is a type of Avro.");
        if (!_names.TryAdd(schema.FullName, schema))
            throw new SchemaParseException($"The type {schema.FullName} is defined twice.");
    }

    private static string FullName(JsonElement schema, string space)
    {
        string name = Text(schema, "name") ?? throw new SchemaParseException("A record, an enum and a fixed need a \"name\".");
        string fullName = name.Contains('.', StringComparison.Ordinal) ? name : Qualified(name, Text(schema, "namespace") ?? space);
        return fullName.Split('.').All(IsName)
            ? fullName
            : throw new SchemaParseException(
                $"'{fullName}' is not a name: letters, digits and underscores are, no digit first, parts divided by dots.");
    }

    private static string[] Aliases(JsonElement schema, string space) =>
        [.. Texts(schema, "aliases").Select(alias => Qualified(alias, space))];

    private static string Qualified(string name, string space) =>
        space.Length == 0 || name.Contains('.', StringComparison.Ordinal) ? name : $"{space}.{name}";

    private static string SpaceOf(string fullName) => fullName.LastIndexOf('.') is > 0 and int dot ? fullName[..dot] : "";

    private static JsonElement Member(JsonElement schema, string name, string otherwise) =>
        schema.TryGetProperty(name, out JsonElement value)
            ? value
            : throw new SchemaParseException(string.Create(CultureInfo.InvariantCulture, $"{otherwise}."));

    private static string? Text(JsonElement schema, string name) =>
        schema.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static string[] Texts(JsonElement schema, string name)
    {
        if (!schema.TryGetProperty(name, out JsonElement list))
            return [];
        if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
            throw new SchemaParseException($"\"{name}\" is not an array of texts.");
        return [.. list.EnumerateArray().Select(item => item.GetString()!)];
    }
}
