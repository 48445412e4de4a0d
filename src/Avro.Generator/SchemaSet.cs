using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>All schemas of a project. Files may name each other's types, in any order.</summary>
internal sealed class SchemaSet
{
    private readonly Dictionary<string, NamedType> _types = new();
    private HashSet<string>? _namespaces;

    public IEnumerable<NamedType> Types => _types.Values;

    /// <summary>First round: which names there are.</summary>
    public void Declare(SchemaFile file)
    {
        JsonNode root = JsonParser.Parse(file.Text);
        if (root.Kind != JsonKind.Object || root.TextOf("type") is not ("record" or "enum" or "fixed"))
            throw new SchemaException("KESAVRO002", root.Position,
                "A schema file holds one record, enum or fixed: an object with \"type\": \"record\", \"enum\" or \"fixed\".");
        Declare(root, file, "");
    }

    /// <summary>Second round: what they are made of.</summary>
    public void Complete(NamedType type)
    {
        if (type.Kind == NamedKind.Enum)
            CompleteEnum(type);
        else if (type.Kind == NamedKind.Record)
            CompleteRecord(type);
    }

    /// <summary>Third round: what names unions and checks defaults, which may be of types that other files complete.</summary>
    public void Check(NamedType type)
    {
        if (type.Kind != NamedKind.Fixed && (_namespaces ??= Namespaces()).Contains(type.FullName))
            throw new SchemaException("KESAVRO003", type.Node.Position,
                $"The type {type.FullName} has the name of a namespace of other types, which C# does not allow.");
        if (type.ClrName != type.Name && _types.ContainsKey($"{type.Namespace}.{type.ClrName}"))
            throw new SchemaException("KESAVRO003", type.Node.Position,
                $"The type {type.FullName} becomes {type.ClrName} in C#, which another type is called.");
        Identifier.NameUnions(type);
        foreach (AvroField field in type.Fields)
        {
            if (field.Default is not { } value)
                continue;
            if (!DefaultValue.Fits(value, field.Type))
                throw new SchemaException("KESAVRO005", value.Position,
                    $"The default of the field {field.Name} does not fit its type; of a union it must fit the first branch.");
            if (MakesItself(type, field))
                throw new SchemaException("KESAVRO006", value.Position,
                    $"The default of the field {field.Name} has a {type.Name} in it, which would have that default again, without end.");
        }
    }

    /// <summary>The type that is called <paramref name="name"/> in the namespace <paramref name="space"/>.</summary>
    /// <exception cref="SchemaException">There is none.</exception>
    public NamedType Find(JsonNode node, string name, string space)
    {
        if (_types.TryGetValue(name.Contains(".") ? name : $"{space}.{name}", out NamedType? type))
            return type;
        throw new SchemaException("KESAVRO004", node.Position,
            $"The type '{name}' is not known: it is not a type of Avro, and no schema file of the project defines it.");
    }

    /// <summary>The full name of a definition in the namespace <paramref name="space"/>.</summary>
    public static string FullName(JsonNode node, string space)
    {
        string name = node.TextOf("name")
            ?? throw new SchemaException("KESAVRO002", node.Position, "A record, an enum and a fixed need a \"name\".");
        if (name.Contains("."))
            return Checked(name, node);
        space = node.TextOf("namespace") ?? space;
        if (space.Length == 0)
            throw new SchemaException("KESAVRO002", node.Position, $"The type {name} needs a \"namespace\": it becomes the C# namespace.");
        return Checked($"{space}.{name}", node);
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
        if (kind is "record" or "enum" or "fixed")
        {
            string fullName = FullName(node, space);
            var type = new NamedType(kind == "record" ? NamedKind.Record : kind == "enum" ? NamedKind.Enum : NamedKind.Fixed, fullName,
                node, file);
            if (_types.TryGetValue(fullName, out NamedType? other))
                throw new SchemaException("KESAVRO003", node.Position,
                    $"The type {fullName} is defined twice; the other is in {other.File.Path}. Define it once, in a file of its own if "
                        + $"several use it, and write "
                        + $"\"{fullName}\" as the type elsewhere: the files of a project know each other's types.");
            _types.Add(fullName, type);
            CheckAliases(node);
            if (type.Kind == NamedKind.Fixed)
                type.Scalar = Scalars.Fixed(node, fullName, SizeOf(node, fullName));
            else
                ReservedNames.Check(type);
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
            if (symbol.Raw == "value__")
                throw new SchemaException("KESAVRO006", symbol.Position,
                    "The symbol value__ cannot be generated: each enum of .NET has it.");
            if (type.Symbols.Contains(symbol.Raw))
                throw new SchemaException("KESAVRO003", symbol.Position, $"The symbol {symbol.Raw} is given twice.");
            type.Symbols.Add(symbol.Raw);
        }

        if (type.Symbols.Count == 0)
            throw new SchemaException("KESAVRO002", type.Node.Position, $"The enum {type.FullName} needs \"symbols\".");
        if (type.Node["default"] is { } fallback
            && (fallback.Kind != JsonKind.Text || !type.Symbols.Contains(fallback.Raw)))
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
            CheckAliases(field);
            type.Fields.Add(new AvroField(name, Resolve(typeNode, type.Namespace), field.TextOf("doc"), field["default"]));
        }

        for (int i = 0; i < type.Fields.Count; i++)
            PersonalFields.Complete(type, type.Fields[i], fields.Items[i]);
    }

    private AvroType Resolve(JsonNode node, string space)
    {
        switch (node.Kind)
        {
            case JsonKind.Text:
                return node.Raw == "null"
                    ? throw new SchemaException("KESAVRO006", node.Position, "The type null has no value to generate; unions have it.")
                    : Scalars.Primitive(node.Raw) is { } primitive ? AvroType.Of(primitive) : AvroType.Of(Find(node, node.Raw, space));
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
        int nullBranch = -1;
        var branches = new List<UnionBranch>();
        for (int i = 0; i < node.Items.Count; i++)
        {
            JsonNode item = node.Items[i];
            bool isNull = item is { Kind: JsonKind.Text, Raw: "null" } || IsNull(item);
            AvroType? type = isNull ? null : Resolve(item, space);
            if (item.Kind == JsonKind.Array || type is { Kind: AvroKind.Nullable or AvroKind.Union })
                throw new SchemaException("KESAVRO004", item.Position, "A union contains a union.");
            if (isNull ? nullBranch >= 0 : branches.Any(b => b.Type.AvroName == type!.AvroName))
                throw new SchemaException("KESAVRO003", item.Position, $"A union contains {type?.AvroName ?? "null"} twice.");
            if (isNull)
                nullBranch = i;
            else
                branches.Add(new UnionBranch(i, type!));
        }

        // Apache.Avro has one type for days and instants, and one for times of day: there the int is a plain number beside a long.
        int day = branches.FindIndex(b => b.Type.Scalar?.AsNumber is not null);
        if (day >= 0 && branches.Any(b => b.Type.Scalar is { AvroName: "long", Boxed: not null }))
            branches[day] = new UnionBranch(branches[day].Index, AvroType.Of(branches[day].Type.Scalar!.AsNumber!));
        if (branches.Count == 0)
            throw new SchemaException("KESAVRO006", node.Position, "A union without a type besides null cannot be generated.");
        return branches.Count == 1 && nullBranch >= 0
            ? AvroType.Nullable(branches[0].Type, nullBranch == 0)
            : AvroType.Union(branches, node.Items.Count, nullBranch);
    }

    // Also as {"type": "null"}.
    private static bool IsNull(JsonNode node) => node["type"] switch
    {
        { Kind: JsonKind.Text } name => name.Raw == "null",
        { Kind: JsonKind.Object } inner => IsNull(inner),
        _ => false,
    };

    private AvroType ResolveObject(JsonNode node, string space)
    {
        JsonNode kind = node["type"] ?? throw new SchemaException("KESAVRO002", node.Position, "A type in an object needs a \"type\".");
        if (kind.Kind != JsonKind.Text)
            return Resolve(kind, space);
        switch (kind.Raw)
        {
            case "record" or "enum" or "fixed":
                return AvroType.Of(_types[FullName(node, space)]);
            case "array":
                return AvroType.Array(
                    Resolve(node["items"] ?? throw new SchemaException("KESAVRO002", node.Position, "An array needs \"items\"."), space));
            case "map":
                return AvroType.Map(
                    Resolve(node["values"] ?? throw new SchemaException("KESAVRO002", node.Position, "A map needs \"values\"."), space));
        }

        // A logical type that does not fit its type is to be ignored (Avro specification, "Logical Types"), as are unknown ones.
        return Scalars.Logical(node, kind.Raw) is { } logical ? AvroType.Of(logical) : Resolve(kind, space);
    }

    private HashSet<string> Namespaces()
    {
        var all = new HashSet<string>();
        foreach (NamedType type in _types.Values.Where(t => t.Kind != NamedKind.Fixed))
        {
            for (string space = type.Namespace; all.Add(space) && space.Contains(".");)
                space = space.Substring(0, space.LastIndexOf('.'));
        }

        return all;
    }

    private static void CheckAliases(JsonNode node)
    {
        if (node["aliases"] is not { } aliases)
            return;
        if (aliases.Kind != JsonKind.Array)
            throw new SchemaException("KESAVRO002", aliases.Position, "The \"aliases\" are not an array of names.");
        foreach (JsonNode alias in aliases.Items)
        {
            if (alias.Kind != JsonKind.Text || !alias.Raw.Split('.').All(IsName))
                throw new SchemaException("KESAVRO002", alias.Position, $"The alias '{alias.Raw}' is not a name.");
        }
    }

    private static int SizeOf(JsonNode node, string fullName)
    {
        JsonNode size = node["size"] ?? throw new SchemaException("KESAVRO002", node.Position, $"The fixed {fullName} needs a \"size\".");
        return size.Kind == JsonKind.Number
            && int.TryParse(size.Raw, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int bytes)
            && bytes >= 0
            ? bytes
            : throw new SchemaException("KESAVRO002", size.Position, $"The size of the fixed {fullName} is not a number of bytes.");
    }

    // New ones are made with each, whatever the default says of its fields.
    private static bool MakesItself(NamedType type, AvroField field)
    {
        var open = new Stack<NamedType>(DefaultValue.Made(field.Default!, field.Type));
        var seen = new HashSet<NamedType>();
        while (open.Count > 0)
        {
            NamedType made = open.Pop();
            if (made == type)
                return true;
            if (!seen.Add(made))
                continue;
            foreach (NamedType next in made.Fields.Where(f => f.HasDefault).SelectMany(f => DefaultValue.Made(f.Default!, f.Type)))
                open.Push(next);
        }

        return false;
    }
}
