using System.Collections.Generic;

namespace KafkaEventSourcing.Avro.Generator;

internal enum AvroKind { Scalar, Array, Map, Nullable, Union, Record, Enum }

/// <summary>The type of a field.</summary>
internal sealed class AvroType
{
    private AvroType(AvroKind kind) => Kind = kind;

    public AvroKind Kind { get; }

    /// <summary>Of a scalar: what it is in C#.</summary>
    public Scalar? Scalar { get; private set; }

    /// <summary>Of an array its items, of a map its values, of a nullable the other branch.</summary>
    public AvroType? Inner { get; private set; }

    /// <summary>Of a record or an enum: which.</summary>
    public NamedType? Named { get; private set; }

    /// <summary>Of a nullable: whether null is the first branch.</summary>
    public bool NullFirst { get; private set; }

    /// <summary>Of a union: its branches, null being none of them.</summary>
    public IReadOnlyList<UnionBranch> Branches { get; private set; } = [];

    /// <summary>Of a union: how many branches it has with null.</summary>
    public int BranchCount { get; private set; }

    /// <summary>Of a union: the place of null; -1 when it has none.</summary>
    public int NullBranch { get; private set; } = -1;

    /// <summary>Of a union: the name of its C# type, which is in that of its record.</summary>
    public string UnionName { get; set; } = "";

    /// <summary>The name that a union knows a branch of this type by.</summary>
    public string AvroName => Kind switch
    {
        AvroKind.Scalar => Scalar!.AvroName,
        AvroKind.Array => "array",
        AvroKind.Map => "map",
        AvroKind.Record or AvroKind.Enum => Named!.FullName,
        _ => "union",
    };

    public bool IsValueType => Kind == AvroKind.Enum || Scalar is { IsValueType: true };

    /// <summary>Whether null is a value.</summary>
    public bool HasNull => Kind == AvroKind.Nullable || NullBranch >= 0;

    public string CSharp => Kind switch
    {
        AvroKind.Scalar => Scalar!.CSharp,
        AvroKind.Array => $"global::System.Collections.Generic.IReadOnlyList<{Inner!.CSharp}>",
        AvroKind.Map => $"global::System.Collections.Generic.IReadOnlyDictionary<string, {Inner!.CSharp}>",
        AvroKind.Nullable => Inner!.CSharp + "?",
        AvroKind.Union => UnionName + (HasNull ? "?" : ""),
        _ => Named!.ClrPath,
    };

    public static AvroType Of(Scalar scalar) => new(AvroKind.Scalar) { Scalar = scalar };

    public static AvroType Of(NamedType named) => named.Kind == NamedKind.Fixed
        ? Of(named.Scalar!)
        : new AvroType(named.Kind == NamedKind.Enum ? AvroKind.Enum : AvroKind.Record) { Named = named };

    public static AvroType Array(AvroType items) => new(AvroKind.Array) { Inner = items };

    public static AvroType Map(AvroType values) => new(AvroKind.Map) { Inner = values };

    public static AvroType Nullable(AvroType inner, bool nullFirst) => new(AvroKind.Nullable) { Inner = inner, NullFirst = nullFirst };

    public static AvroType Union(IReadOnlyList<UnionBranch> branches, int count, int nullBranch) =>
        new(AvroKind.Union) { Branches = branches, BranchCount = count, NullBranch = nullBranch };
}

/// <summary>A branch of a union that is not null.</summary>
internal sealed class UnionBranch
{
    public UnionBranch(int index, AvroType type)
    {
        Index = index;
        Type = type;
    }

    public int Index { get; }

    public AvroType Type { get; }

    /// <summary>The name of its C# type, which is in that of the union.</summary>
    public string Name { get; set; } = "";
}

internal enum NamedKind { Record, Enum, Fixed }

/// <summary>A record, an enum or a fixed.</summary>
internal sealed class NamedType
{
    public NamedType(NamedKind kind, string fullName, JsonNode node, SchemaFile file)
    {
        Kind = kind;
        FullName = fullName;
        Node = node;
        File = file;
    }

    public NamedKind Kind { get; }

    public string FullName { get; }

    public string Name => FullName.Substring(FullName.LastIndexOf('.') + 1);

    /// <summary>The name in C#; another where C# does not let a record be called so, as it has a member of that name.</summary>
    public string ClrName => Kind == NamedKind.Record && Identifier.IsMember(Name) ? Name + "Record" : Name;

    /// <summary>The full name in C#, as code is written.</summary>
    public string ClrPath => $"global::{Identifier.OfPath(Namespace)}.{Identifier.Of(ClrName)}";

    public string Namespace => FullName.Substring(0, FullName.LastIndexOf('.'));

    public JsonNode Node { get; }

    public SchemaFile File { get; }

    /// <summary>Of a record: whether its values take no byte; null: not known yet.</summary>
    public bool? IsEmpty { get; set; }

    /// <summary>Of an enum.</summary>
    public List<string> Symbols { get; } = new();

    /// <summary>Of a record.</summary>
    public List<AvroField> Fields { get; } = new();

    /// <summary>Of a fixed: what it is in C#; it has no type of its own there.</summary>
    public Scalar? Scalar { get; set; }
}

/// <summary>A field of a record.</summary>
internal sealed class AvroField
{
    public AvroField(string name, AvroType type, string? doc, JsonNode? fallback)
    {
        Name = name;
        Type = type;
        Doc = doc;
        Default = fallback;
    }

    public string Name { get; }

    public AvroType Type { get; }

    public string? Doc { get; }

    public JsonNode? Default { get; }

    public bool HasDefault => Default is not null;

    /// <summary>Whether it is tagged as personal.</summary>
    public bool IsPersonal { get; set; }

    /// <summary>Of a personal field: the place of the field with the subject that it speaks of; negative: that of the message.</summary>
    public int Subject { get; set; } = -1;
}
