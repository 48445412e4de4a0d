using System.Text.Json;

namespace KafkaEventSourcing.Avro.Schemas;

/// <summary>The kinds of Avro schemas.</summary>
internal enum SchemaKind { Null, Boolean, Int, Long, Float, Double, Bytes, String, Record, Enum, Fixed, Array, Map, Union }

/// <summary>
/// A schema, parsed. Immutable once <see cref="SchemaParser"/> has returned it, and thread-safe; a record may contain itself.
/// </summary>
internal abstract class AvroSchema(SchemaKind kind, LogicalType? logical = null)
{
    public SchemaKind Kind => kind;

    /// <summary>
    /// What the bytes mean; null: what the type says. Unknown and unfit logical types are none, as the specification asks.
    /// </summary>
    public LogicalType? Logical => logical;

    /// <summary>Whether its values take no byte. A record that contains itself without a union between has no value at all.</summary>
    public virtual bool IsEmpty => kind == SchemaKind.Null;

    /// <summary>The type as messages name it.</summary>
    public override string ToString() => logical is { } meaning ? $"{NameOf(kind)} ({meaning})" : NameOf(kind);

    public static string NameOf(SchemaKind kind) => kind switch
    {
        SchemaKind.Null => "null",
        SchemaKind.Boolean => "boolean",
        SchemaKind.Int => "int",
        SchemaKind.Long => "long",
        SchemaKind.Float => "float",
        SchemaKind.Double => "double",
        SchemaKind.Bytes => "bytes",
        SchemaKind.String => "string",
        SchemaKind.Record => "record",
        SchemaKind.Enum => "enum",
        SchemaKind.Fixed => "fixed",
        SchemaKind.Array => "array",
        SchemaKind.Map => "map",
        _ => "union",
    };
}

/// <summary>null, a boolean, a number, text or bytes.</summary>
internal sealed class PrimitiveSchema(SchemaKind kind, LogicalType? logical = null) : AvroSchema(kind, logical);

internal sealed class ArraySchema(AvroSchema items) : AvroSchema(SchemaKind.Array)
{
    public AvroSchema Items => items;
}

internal sealed class MapSchema(AvroSchema values) : AvroSchema(SchemaKind.Map)
{
    public AvroSchema Values => values;
}

internal sealed class UnionSchema(IReadOnlyList<AvroSchema> branches) : AvroSchema(SchemaKind.Union)
{
    public IReadOnlyList<AvroSchema> Branches => branches;

    public override string ToString() => $"[{string.Join(", ", branches)}]";
}

/// <summary>A record, an enum or a fixed.</summary>
internal abstract class NamedSchema(SchemaKind kind, string fullName, IReadOnlyList<string> aliases, LogicalType? logical = null)
    : AvroSchema(kind, logical)
{
    /// <summary>Namespace and name, divided by a dot; the name alone when there is no namespace.</summary>
    public string FullName => fullName;

    public string Name => Unqualified(fullName);

    public string Namespace => fullName.Length > Name.Length ? fullName[..^(Name.Length + 1)] : "";

    /// <summary>Full names that the type had.</summary>
    public IReadOnlyList<string> Aliases => aliases;

    public override string ToString() => $"{NameOf(Kind)} {fullName}";

    public static string Unqualified(string fullName) => fullName[(fullName.LastIndexOf('.') + 1)..];
}

internal sealed class RecordSchema(string fullName, IReadOnlyList<string> aliases) : NamedSchema(SchemaKind.Record, fullName, aliases)
{
    private bool _isEmpty; // not before it has its fields

    /// <summary>The fields in the order of the encoding. Set by the parser, as a field may be of the record itself.</summary>
    public IReadOnlyList<SchemaField> Fields { get; private set; } = [];

    public override bool IsEmpty => _isEmpty;

    internal void Fill(IReadOnlyList<SchemaField> fields)
    {
        Fields = fields;
        _isEmpty = fields.All(field => field.Schema.IsEmpty);
    }
}

internal sealed class EnumSchema(string fullName, IReadOnlyList<string> aliases, IReadOnlyList<string> symbols, string? fallback)
    : NamedSchema(SchemaKind.Enum, fullName, aliases)
{
    public IReadOnlyList<string> Symbols => symbols;

    /// <summary>The symbol that stands for those that a reader does not know; null: there is none.</summary>
    public string? Default => fallback;

    public int IndexOf(string symbol)
    {
        for (int i = 0; i < symbols.Count; i++)
        {
            if (symbols[i] == symbol)
                return i;
        }

        return -1;
    }
}

internal sealed class FixedSchema(string fullName, IReadOnlyList<string> aliases, int size, LogicalType? logical)
    : NamedSchema(SchemaKind.Fixed, fullName, aliases, logical)
{
    /// <summary>The length in bytes.</summary>
    public int Size => size;

    public override bool IsEmpty => size == 0;
}

/// <summary>
/// A field of a record; <paramref name="Default"/> is what a reader takes when the writer did not have the field, null when there is none.
/// </summary>
internal sealed record SchemaField(string Name, AvroSchema Schema, IReadOnlyList<string> Aliases, JsonElement? Default)
{
    /// <summary>Whether it is tagged as personal: its values are sealed.</summary>
    public bool IsPersonal { get; init; }
}
