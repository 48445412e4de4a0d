using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>All schemas of a project. Files may name each other's types, in any order.</summary>
internal sealed class SchemaSet
{
    private readonly Dictionary<string, NamedType> _types = new();

    public IEnumerable<NamedType> Types => _types.Values;

    /// <summary>First round: which names there are.</summary>
    public void Declare(SchemaFile file)
    {
        JsonNode root = JsonParser.Parse(file.Text);
        if (root.Kind != JsonKind.Object || root.TextOf("type") is not ("record" or "enum"))
            throw new SchemaException("KESAVRO002", root.Position,
                "A schema file holds one record or enum: an object with \"type\": \"record\" or \"enum\".");
        Declare(root, file, "");
    }

    /// <summary>Second round: what they are made of.</summary>
    public void Complete(NamedType type)
    {
        if (type.IsEnum)
            CompleteEnum(type);
        else
            CompleteRecord(type);
    }

    /// <summary>
    /// The schema of <paramref name="type"/> as one text: named types stand where they are used first, by name afterwards.
    /// </summary>
    public string Text(NamedType type)
    {
        var output = new StringBuilder();
        Write(output, type.Node, type.Namespace, new HashSet<string>(), inType: true);
        return output.ToString();
    }

    private void Declare(JsonNode node, SchemaFile file, string space)
    {
        switch (node.Kind)
        {
            case JsonKind.Array:
                foreach (JsonNode item in node.Items)
                    Declare(item, file, space);
                return;
            case JsonKind.Object:
                break;
            default:
                return;
        }

        string? kind = node.TextOf("type");
        if (kind is "record" or "enum")
        {
            string fullName = FullName(node, space);
            var type = new NamedType(fullName, node, file, kind == "enum");
            if (_types.TryGetValue(fullName, out NamedType? other))
                throw new SchemaException("KESAVRO003", node.Position,
                    $"The type {fullName} is defined twice; the other is in {other.File.Path}. Define it once, in a file of its own if "
                        + $"several use it, and write "
                        + $"\"{fullName}\" as the type elsewhere: the files of a project know each other's types.");
            _types.Add(fullName, type);
            foreach (JsonNode field in node["fields"]?.Items ?? new List<JsonNode>())
            {
                if (field["type"] is { } fieldType)
                    Declare(fieldType, file, type.Namespace);
            }

            return;
        }

        foreach (string inner in new[] { "type", "items", "values" })
        {
            if (node[inner] is { } child)
                Declare(child, file, space);
        }
    }

    private static string FullName(JsonNode node, string space)
    {
        string name = node.TextOf("name") ?? throw new SchemaException("KESAVRO002", node.Position, "A record or enum needs a \"name\".");
        if (name.Contains("."))
            return Checked(name, node);
        space = node.TextOf("namespace") ?? space;
        if (space.Length == 0)
            throw new SchemaException("KESAVRO002", node.Position, $"The type {name} needs a \"namespace\": it becomes the C# namespace.");
        return Checked($"{space}.{name}", node);
    }

    private static string Checked(string fullName, JsonNode node) =>
        fullName.Split('.').All(IsName)
            ? fullName
            : throw new SchemaException("KESAVRO002", node.Position,
                $"'{fullName}' is not a name: letters, digits and underscores, no digit first, parts divided by dots.");

    private static bool IsName(string name) =>
        name.Length > 0
            && (name[0] is >= 'a' and <= 'z' or >= 'A' and <= 'Z' or '_')
            && name.All(c => c is >= 'a' and <= 'z' or >= 'A' and <= 'Z' or >= '0' and <= '9' or '_');

    private static void CompleteEnum(NamedType type)
    {
        foreach (JsonNode symbol in type.Node["symbols"]?.Items ?? new List<JsonNode>())
        {
            if (symbol.Kind != JsonKind.Text || !IsName(symbol.Raw))
                throw new SchemaException("KESAVRO004", symbol.Position,
                    $"'{symbol.Raw}' is not a symbol: letters, digits and underscores, no digit first.");
            if (type.Symbols.Contains(symbol.Raw))
                throw new SchemaException("KESAVRO003", symbol.Position, $"The symbol {symbol.Raw} is given twice.");
            type.Symbols.Add(symbol.Raw);
        }

        if (type.Symbols.Count == 0)
            throw new SchemaException("KESAVRO002", type.Node.Position, $"The enum {type.FullName} needs \"symbols\".");
        if (type.Node["default"] is { } fallback && !type.Symbols.Contains(fallback.Raw))
            throw new SchemaException("KESAVRO005", fallback.Position, $"The default '{fallback.Raw}' is not a symbol of {type.FullName}.");
    }

    private void CompleteRecord(NamedType type)
    {
        if (type.Node["fields"] is not { Kind: JsonKind.Array } fields)
            throw new SchemaException("KESAVRO002", type.Node.Position, $"The record {type.FullName} needs \"fields\": an array.");
        foreach (JsonNode field in fields.Items)
        {
            string name = field.TextOf("name")
                ?? throw new SchemaException("KESAVRO002", field.Position, $"A field of {type.FullName} needs a \"name\".");
            if (!IsName(name))
                throw new SchemaException("KESAVRO002", field.Position, $"'{name}' is not a field name.");
            if (type.Fields.Any(f => f.Name == name))
                throw new SchemaException("KESAVRO003", field.Position, $"The field {name} is given twice.");
            JsonNode typeNode = field["type"]
                ?? throw new SchemaException("KESAVRO002", field.Position, $"The field {name} needs a \"type\".");
            AvroType fieldType = Resolve(typeNode, type.Namespace);
            if (field["default"] is { } fallback)
                CheckDefault(fallback, fieldType, name);
            type.Fields.Add(new AvroField(name, fieldType, field.TextOf("doc"), field["default"] is not null));
        }
    }

    private AvroType Resolve(JsonNode node, string space)
    {
        switch (node.Kind)
        {
            case JsonKind.Text:
                return Primitive(node.Raw) ?? new AvroType(AvroKind.Named, named: Find(node, node.Raw, space));
            case JsonKind.Array:
                return ResolveUnion(node, space);
            case JsonKind.Object:
                return ResolveObject(node, space);
            default:
                throw new SchemaException("KESAVRO004", node.Position, "A type is a name, an object, or a union in an array.");
        }
    }

    private AvroType ResolveUnion(JsonNode node, string space)
    {
        int nulls = node.Items.Count(i => i is { Kind: JsonKind.Text, Raw: "null" });
        if (node.Items.Count != 2 || nulls != 1)
            throw new SchemaException("KESAVRO006", node.Position, "Of unions only those of null and one other type can be generated.");
        bool nullFirst = node.Items[0] is { Kind: JsonKind.Text, Raw: "null" };
        return new AvroType(AvroKind.Nullable, Resolve(node.Items[nullFirst ? 1 : 0], space), nullFirst: nullFirst);
    }

    private AvroType ResolveObject(JsonNode node, string space)
    {
        JsonNode kind = node["type"] ?? throw new SchemaException("KESAVRO002", node.Position, "A type in an object needs a \"type\".");
        if (kind.Kind != JsonKind.Text)
            return Resolve(kind, space);
        switch (kind.Raw)
        {
            case "record" or "enum":
                return new AvroType(AvroKind.Named, named: _types[FullName(node, space)]);
            case "array":
                return new AvroType(AvroKind.Array,
                    Resolve(node["items"] ?? throw new SchemaException("KESAVRO002", node.Position, "An array needs \"items\"."), space));
            case "map":
                return new AvroType(AvroKind.Map,
                    Resolve(node["values"] ?? throw new SchemaException("KESAVRO002", node.Position, "A map needs \"values\"."), space));
            case "fixed":
                throw new SchemaException("KESAVRO006", node.Position, "The type fixed cannot be generated; use bytes.");
        }

        // A logical type that does not fit its type is to be ignored (Avro specification, "Logical Types"), as are unknown ones.
        return (kind.Raw, node.TextOf("logicalType")) switch
        {
            ("int", "date") => new AvroType(AvroKind.Date),
            ("long", "timestamp-millis") => new AvroType(AvroKind.TimestampMillis),
            ("long", "timestamp-micros") => new AvroType(AvroKind.TimestampMicros),
            (_, "decimal" or "uuid" or "time-millis" or "time-micros" or "duration" or "local-timestamp-millis"
                or "local-timestamp-micros") =>
                throw new SchemaException("KESAVRO006", node.Position,
                    $"The logical type {node.TextOf("logicalType")} cannot be generated; use its underlying type."),
            _ => Resolve(kind, space),
        };
    }

    private static AvroType? Primitive(string name) => name switch
    {
        "boolean" => new AvroType(AvroKind.Boolean),
        "int" => new AvroType(AvroKind.Int),
        "long" => new AvroType(AvroKind.Long),
        "float" => new AvroType(AvroKind.Float),
        "double" => new AvroType(AvroKind.Double),
        "string" => new AvroType(AvroKind.Text),
        "bytes" => new AvroType(AvroKind.Bytes),
        _ => null,
    };

    private NamedType Find(JsonNode node, string name, string space)
    {
        if (_types.TryGetValue(name.Contains(".") ? name : $"{space}.{name}", out NamedType? type))
            return type;
        throw new SchemaException("KESAVRO004", node.Position,
            $"The type '{name}' is not known: it is not a type of Avro, and no schema file of the project defines it.");
    }

    private static void CheckDefault(JsonNode value, AvroType type, string field)
    {
        if (!DefaultValue.Fits(value, type))
            throw new SchemaException("KESAVRO005", value.Position,
                $"The default of the field {field} does not fit its type; of a union it must fit the first branch.");
    }

    private void Write(StringBuilder output, JsonNode node, string space, HashSet<string> written, bool inType)
    {
        switch (node.Kind)
        {
            case JsonKind.Text when inType
                && Primitive(node.Raw) is null
                && node.Raw is not ("null" or "record" or "enum" or "array" or "map" or "fixed"):
                NamedType named = Find(node, node.Raw, space);
                if (written.Contains(named.FullName))
                    JsonNode.WriteText(output, named.FullName);
                else
                    Write(output, named.Node, named.Namespace, written, inType: true);
                return;
            case JsonKind.Text:
                JsonNode.WriteText(output, node.Raw);
                return;
            case JsonKind.Array:
                output.Append('[');
                for (int i = 0; i < node.Items.Count; i++)
                {
                    if (i > 0)
                        output.Append(',');
                    Write(output, node.Items[i], space, written, inType);
                }

                output.Append(']');
                return;
            case JsonKind.Object:
                WriteObject(output, node, space, written, inType);
                return;
            default:
                output.Append(node.Raw);
                return;
        }
    }

    private void WriteObject(StringBuilder output, JsonNode node, string space, HashSet<string> written, bool inType)
    {
        string? fullName = null;
        if (inType && node.TextOf("type") is "record" or "enum")
        {
            fullName = FullName(node, space);
            written.Add(fullName);
            space = fullName.Substring(0, fullName.LastIndexOf('.'));
        }

        output.Append('{');
        bool first = true;
        foreach (KeyValuePair<string, JsonNode> member in node.Members)
        {
            if (fullName is not null && member.Key == "namespace")
                continue;
            if (!first)
                output.Append(',');
            first = false;
            JsonNode.WriteText(output, member.Key);
            output.Append(':');
            if (fullName is not null && member.Key == "name")
            {
                JsonNode.WriteText(output, fullName.Substring(fullName.LastIndexOf('.') + 1));
                output.Append(",\"namespace\":");
                JsonNode.WriteText(output, space);
            }
            else if (fullName is not null && member.Key == "fields")
            {
                WriteFields(output, member.Value, space, written);
            }
            else
            {
                Write(output, member.Value, space, written, inType && member.Key is "type" or "items" or "values");
            }
        }

        output.Append('}');
    }

    private void WriteFields(StringBuilder output, JsonNode fields, string space, HashSet<string> written)
    {
        output.Append('[');
        for (int i = 0; i < fields.Items.Count; i++)
        {
            output.Append(i > 0 ? ",{" : "{");
            for (int m = 0; m < fields.Items[i].Members.Count; m++)
            {
                KeyValuePair<string, JsonNode> member = fields.Items[i].Members[m];
                if (m > 0)
                    output.Append(',');
                JsonNode.WriteText(output, member.Key);
                output.Append(':');
                Write(output, member.Value, space, written, member.Key == "type");
            }

            output.Append('}');
        }

        output.Append(']');
    }
}
