using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KafkaEventSourcing.Avro.Tests.Fuzz;

/// <summary>Makes schemas, most of them valid, with names that C# has other uses for; and spoils them.</summary>
internal sealed class RandomSchema(Random random, string space)
{
    private static readonly string[] FieldNames =
    [
        "amount", "Amount", "AMOUNT", "event", "class", "record", "required", "field", "value", "get", "equals", "Equals", "getHashCode",
        "ToString", "toString", "equalityContract", "deconstruct", "printMembers", "clone", "_SCHEMA", "_schema", "schemaJson", "readFrom",
        "writeTo", "_f0", "_f1", "_", "__", "__arglist", "reader", "writer", "other", "fieldPos", "fieldValue", "hash", "System", "global",
        "Avro", "string", "await", "var", "dynamic", "nint", "file", "scoped", "init", "f0", "v0", "id", "ID", "Id", "iD", "amountUnion",
        "AmountUnion", "Schema", "item", "Item", "op_Equality", "get_Amount", "Finalize", "getType", "memberwiseClone", "nameof", "x1",
    ];

    private static readonly string[] TypeNames =
    [
        "Money", "money", "MONEY", "event", "record", "class", "System", "Avro", "String", "Object", "Guid", "DateTime", "Exception",
        "_", "__arglist", "Equals", "Value", "Match", "Type", "List", "Dictionary", "KafkaEventSourcing", "AmountUnion", "Enum", "Card",
        "required", "var", "dynamic", "file", "nint", "Func", "HashCode", "Attribute", "Nullable", "IAvroRecord", "AvroWriter", "Schema",
    ];

    private static readonly string[] Spaces = ["", ".System", ".event.record", ".Avro", ".Money", ".global.String", ".KafkaEventSourcing"];

    private static readonly string[] Docs =
    [
        "plain", "*/ x", "one\u2028two\u2029\u0085", "</summary>", "<see cref=\"x\"/>", "a\r\nb\nc", "\u0001\0", "\ud83d\ude00 \ud800",
        "\"\"\"", "\\u0041\\", "#if X", "///", "&amp;&", "{0}",
    ];

    private static readonly (string Json, string[] Defaults)[] Scalars =
    [
        ("\"boolean\"", ["true", "false"]), ("\"int\"", ["0", "-0", "2147483647", "-2147483648"]),
        ("\"long\"", ["9223372036854775807", "-9223372036854775808"]), ("\"float\"", ["0.1", "-3.4e38", "1e-50", "5"]),
        ("\"double\"", ["1.7976931348623157e308", "5e-324", "1e-400", "-0.0"]),
        ("\"string\"", ["\"\"", "\"\\u2028\\\"\\\\{x}\"", "\"\\ud83d\\ude00\""]), ("\"bytes\"", ["\"\"", "\"\\u0000\\u00ff\""]),
        ("""{"type":"int","logicalType":"date"}""", ["-719162", "2932896"]),
        ("""{"type":"int","logicalType":"time-millis"}""", ["0", "86399999"]),
        ("""{"type":"long","logicalType":"time-micros"}""", ["86399999999"]),
        ("""{"type":"long","logicalType":"timestamp-millis"}""", ["-62135596800000", "253402300799999"]),
        ("""{"type":"long","logicalType":"timestamp-micros"}""", ["0"]),
        ("""{"type":"long","logicalType":"timestamp-nanos"}""", ["-9223372036854775800", "100"]),
        ("""{"type":"long","logicalType":"local-timestamp-millis"}""", ["1"]),
        ("""{"type":"long","logicalType":"local-timestamp-micros"}""", ["-1"]),
        ("""{"type":"long","logicalType":"local-timestamp-nanos"}""", ["0"]),
        ("""{"type":"string","logicalType":"uuid"}""", ["\"00112233-4455-6677-8899-AABBccddeeff\""]),
        ("""{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}""", ["\"\\u0000\"", "\"\\u00ff\\u0000\""]),
        ("""{"type":"bytes","logicalType":"decimal","precision":28,"scale":28}""", ["\"\\u0001\\u0002\""]),
        ("""{"type":"bytes","logicalType":"decimal","precision":29}""", ["\"\\u0080\""]),
        ("""{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}""", ["\"\\u0080\""]), // does not fit: bytes
        ("""{"type":"string","logicalType":"date"}""", ["\"x\""]), ("""{"type":{"type":"int"},"logicalType":"date"}""", ["5"]),
        ("""{"type":"long","logicalType":"of-our-own","extra":{"type":"record"}}""", ["3"]),
    ];

    private static readonly (string Content, string[] Defaults)[] Fixed =
    [
        ("\"size\":0", ["\"\""]), ("\"size\":3", ["\"abc\"", "\"\\u00ff\\u0000\\\"\""]),
        ("\"size\":16,\"logicalType\":\"uuid\"", ["\"0123456789abcdef\""]),
        ("\"size\":12,\"logicalType\":\"duration\"", ["\"0123456789ab\""]),
        ("\"size\":4,\"logicalType\":\"decimal\",\"precision\":9,\"scale\":9", ["\"\\u0000\\u0000\\u0001\\u0000\""]),
        ("\"size\":20,\"logicalType\":\"decimal\",\"precision\":40,\"scale\":1",
            [$"\"{string.Concat(Enumerable.Repeat("\\u0000", 19))}a\""]),
        ("\"size\":2,\"logicalType\":\"decimal\",\"precision\":5", ["\"ab\""]), // has no room: bytes
    ];

    private static readonly JsonSerializerOptions Relaxed = new()
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private const string Marks = "{}[],:\"0a-\\";

    private readonly List<(string FullName, string? Default)> _named = [];
    private readonly List<string> _open = [];

    /// <summary>A record, as the text of a file.</summary>
    public string Make()
    {
        string json = Record(0).Json;
        return random.Next(3) == 0 ? Spoiled(json) : json;
    }

    // Other characters, other values, or something missing.
    private string Spoiled(string json)
    {
        if (random.Next(3) == 0)
        {
            int at = random.Next(json.Length);
            return random.Next(2) == 0 ? json.Remove(at, 1) : json.Insert(at, Marks[random.Next(Marks.Length)].ToString());
        }

        JsonNode root = JsonNode.Parse(json)!;
        List<JsonNode> all = [.. Nodes(root)];
        switch (all[random.Next(all.Count)])
        {
            case JsonObject { Count: > 0 } node:
                string key = node.ElementAt(random.Next(node.Count)).Key;
                if (random.Next(2) == 0)
                    node.Remove(key);
                else
                    node[key] = Anything();
                break;
            case JsonArray { Count: > 0 } node:
                node[random.Next(node.Count)] = Anything();
                break;
        }

        return root.ToJsonString(Relaxed);
    }

    private JsonNode? Anything() => random.Next(9) switch
    {
        0 => null,
        1 => true,
        2 => -1,
        3 => 1.5,
        4 => new JsonArray(),
        5 => new JsonObject { ["type"] = "int" },
        6 => "null",
        7 => "T.Unknown",
        _ => JsonValue.Create(FieldNames[random.Next(FieldNames.Length)]),
    };

    private static IEnumerable<JsonNode> Nodes(JsonNode? node) => node switch
    {
        JsonObject inner => inner.SelectMany(m => Nodes(m.Value)).Prepend(node),
        JsonArray items => items.SelectMany(Nodes).Prepend(node),
        _ => [],
    };

    private (string Json, string? Default) Record(int depth)
    {
        (string header, string fullName) = Header("record");
        _open.Add(fullName);
        var fields = new List<string>();
        var defaults = new List<string>();
        bool hasDefault = true;
        string[] names = [.. FieldNames.OrderBy(_ => random.Next()).Take(random.Next(depth == 0 ? 1 : 0, 7))];
        foreach (string name in names)
        {
            (string type, string? value) = Type(depth + 1);
            bool gives = value is not null && random.Next(2) == 0;
            fields.Add($"{{\"name\":\"{name}\",\"type\":{type}{(gives ? $",\"default\":{value}" : "")}{Doc()}}}");
            hasDefault &= value is not null;
            if (value is not null && (!gives || random.Next(2) == 0))
                defaults.Add($"\"{name}\":{value}");
        }

        _open.Remove(fullName);
        string? own = hasDefault ? $"{{{string.Join(',', defaults)}}}" : null;
        _named.Add((fullName, own));
        return ($"{{{header}{Doc()},\"fields\":[{string.Join(',', fields)}]}}", own);
    }

    private (string Header, string FullName) Header(string kind)
    {
        string name = TypeNames[random.Next(TypeNames.Length)];
        string where = space + Spaces[random.Next(Spaces.Length)];
        return ($"\"type\":\"{kind}\",\"name\":\"{name}\",\"namespace\":\"{where}\"", $"{where}.{name}");
    }

    private string Doc() => random.Next(3) == 0 ? $",\"doc\":{JsonSerializer.Serialize(Docs[random.Next(Docs.Length)])}" : "";

    private (string Json, string? Default) Type(int depth)
    {
        switch (random.Next(depth < 4 ? 15 : 7))
        {
            case < 6:
                return Scalar();
            case 6 when _named.Count > 0:
                (string known, string? value) = _named[random.Next(_named.Count)];
                return ($"\"{known}\"", value);
            case 6:
                return Scalar();
            case 7:
                (string header, string fullName) = Header("fixed");
                (string rest, string[] values) = Fixed[random.Next(Fixed.Length)];
                return Named(fullName, $"{{{header},{rest}}}", values[random.Next(values.Length)]);
            case 8:
                (string enumHeader, string enumName) = Header("enum");
                string[] symbols = [.. FieldNames.OrderBy(_ => random.Next()).Take(random.Next(1, 5))];
                string all = string.Join(',', symbols.Select(s => $"\"{s}\""));
                return Named(enumName, $"{{{enumHeader},\"symbols\":[{all}]{Doc()}}}", $"\"{symbols[^1]}\"");
            case 9:
                (string items, string? item) = Type(depth + 1);
                return ($"{{\"type\":\"array\",\"items\":{items}}}", item is null ? "[]" : $"[{item},{item}]");
            case 10:
                (string entries, string? entry) = Type(depth + 1);
                return ($"{{\"type\":\"map\",\"values\":{entries}}}", entry is null ? "{}" : $"{{\"\\u2028k\":{entry}}}");
            case 11:
                return Record(depth);
            case 12 when _open.Count > 0:
                return ($"[\"null\",\"{_open[random.Next(_open.Count)]}\"]", "null");
            default:
                return Union(depth);
        }
    }

    private (string Json, string? Default) Scalar()
    {
        (string json, string[] defaults) = Scalars[random.Next(Scalars.Length)];
        return (json, defaults[random.Next(defaults.Length)]);
    }

    private (string Json, string? Default) Named(string fullName, string json, string? value)
    {
        _named.Add((fullName, value));
        return (json, value);
    }

    // Sometimes of two branches of a kind, or of a union in it, which is not a schema.
    private (string Json, string? Default) Union(int depth)
    {
        List<(string Json, string? Default)> branches = [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => Type(depth + 1))];
        branches.RemoveAll(b => b.Json.StartsWith('[') && random.Next(20) > 0);
        branches = [.. branches.DistinctBy(b => random.Next(20) > 0 ? KindOf(b.Json) : b.Json)];
        if (random.Next(2) == 0 || branches.Count == 0)
            branches.Insert(random.Next(branches.Count + 1), ("\"null\"", "null"));
        return ($"[{string.Join(',', branches.Select(b => b.Json))}]", branches[0].Default);
    }

    private static string KindOf(string json)
    {
        string[] plain = ["int", "long", "string", "bytes", "array", "map"];
        return plain.FirstOrDefault(kind => json.Contains($"\"{kind}\"", StringComparison.Ordinal)
            && !json.Contains("\"fields\"", StringComparison.Ordinal)) ?? json;
    }
}
