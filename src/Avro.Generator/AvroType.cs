using System.Collections.Generic;

namespace KafkaEventSourcing.Avro.Generator;

internal enum AvroKind
{
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Text,
    Bytes,
    Date,
    TimestampMillis,
    TimestampMicros,
    Array,
    Map,
    Nullable,
    Named
}

/// <summary>The type of a field.</summary>
internal sealed class AvroType
{
    public AvroType(AvroKind kind, AvroType? inner = null, NamedType? named = null, bool nullFirst = false)
    {
        Kind = kind;
        Inner = inner;
        Named = named;
        NullFirst = nullFirst;
    }

    public AvroKind Kind { get; }

    /// <summary>Of an array its items, of a map its values, of a nullable the other branch.</summary>
    public AvroType? Inner { get; }

    public NamedType? Named { get; }

    /// <summary>Of a nullable: whether null is the first branch.</summary>
    public bool NullFirst { get; }

    public bool IsValueType =>
        Kind is not (AvroKind.Text or AvroKind.Bytes or AvroKind.Array or AvroKind.Map or AvroKind.Nullable or AvroKind.Named)
            || Named is { IsEnum: true };

    public string CSharp => Kind switch
    {
        AvroKind.Boolean => "bool",
        AvroKind.Int => "int",
        AvroKind.Long => "long",
        AvroKind.Float => "float",
        AvroKind.Double => "double",
        AvroKind.Text => "string",
        AvroKind.Bytes => "byte[]",
        AvroKind.Date => "global::System.DateOnly",
        AvroKind.TimestampMillis or AvroKind.TimestampMicros => "global::System.DateTimeOffset",
        AvroKind.Array => $"global::System.Collections.Generic.IReadOnlyList<{Inner!.CSharp}>",
        AvroKind.Map => $"global::System.Collections.Generic.IReadOnlyDictionary<string, {Inner!.CSharp}>",
        AvroKind.Nullable => Inner!.CSharp + "?",
        _ => "global::" + Identifier.OfPath(Named!.FullName),
    };
}

/// <summary>A record or an enum.</summary>
internal sealed class NamedType
{
    public NamedType(string fullName, JsonNode node, SchemaFile file, bool isEnum)
    {
        FullName = fullName;
        Node = node;
        File = file;
        IsEnum = isEnum;
    }

    public string FullName { get; }

    public string Name => FullName.Substring(FullName.LastIndexOf('.') + 1);

    public string Namespace => FullName.Contains(".") ? FullName.Substring(0, FullName.LastIndexOf('.')) : "";

    public JsonNode Node { get; }

    public SchemaFile File { get; }

    public bool IsEnum { get; }

    public List<string> Symbols { get; } = new();

    public List<AvroField> Fields { get; } = new();
}

/// <summary>A field of a record.</summary>
internal sealed class AvroField
{
    public AvroField(string name, AvroType type, string? doc, bool hasDefault)
    {
        Name = name;
        Type = type;
        Doc = doc;
        HasDefault = hasDefault;
    }

    public string Name { get; }

    public AvroType Type { get; }

    public string? Doc { get; }

    public bool HasDefault { get; }
}
