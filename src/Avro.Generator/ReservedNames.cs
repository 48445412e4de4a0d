using System;
using System.Collections.Generic;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>Names that a type of a schema cannot have, as generated code means something else by them.</summary>
internal static class ReservedNames
{
    private static readonly HashSet<string> Types =
    [
        "System.Attribute", "System.Boolean", "System.Byte", "System.DateOnly", "System.DateTime", "System.DateTimeKind",
        "System.DateTimeOffset", "System.Decimal", "System.Double", "System.Enum", "System.Func", "System.Guid", "System.HashCode",
        "System.IEquatable", "System.Int32", "System.Int64", "System.InvalidOperationException",
        "System.Nullable", "System.Object", "System.Single", "System.String",
        "System.TimeOnly", "System.TimeSpan", "System.Type", "System.UInt32", "System.ValueType", "System.Void",
        "System.CodeDom.Compiler.GeneratedCode", "System.CodeDom.Compiler.GeneratedCodeAttribute",
        "System.Collections.Generic.KeyValuePair",
        "System.Collections.Generic.Dictionary", "System.Collections.Generic.EqualityComparer", "System.Collections.Generic.IReadOnlyList",
        "System.Collections.Generic.IReadOnlyDictionary", "System.Collections.Generic.List", "System.Collections.IDictionary",
        "System.Collections.IList", "System.Diagnostics.CodeAnalysis.SetsRequiredMembers",
        "System.Diagnostics.CodeAnalysis.SetsRequiredMembersAttribute", "System.Text.StringBuilder",
        "System.Text.Json.Serialization.JsonConverter", "System.Text.Json.Serialization.JsonConverterAttribute",
        "Avro.AvroRuntimeException", "Avro.Schema", "Avro.Specific.ISpecificRecord",
        "KafkaEventSourcing.Avro.ApacheValues", "KafkaEventSourcing.Avro.AvroBranch", "KafkaEventSourcing.Avro.AvroBranchAttribute",
        "KafkaEventSourcing.Avro.AvroDecimal", "KafkaEventSourcing.Avro.AvroDuration", "KafkaEventSourcing.Avro.AvroEquality",
        "KafkaEventSourcing.Avro.AvroItems", "KafkaEventSourcing.Avro.AvroReader", "KafkaEventSourcing.Avro.AvroRecordType",
        "KafkaEventSourcing.Avro.AvroTime", "KafkaEventSourcing.Avro.AvroUnionJsonConverter", "KafkaEventSourcing.Avro.AvroWriter",
        "KafkaEventSourcing.Avro.IAvroRecord",
    ];

    private static readonly HashSet<string> Namespaces = Parents();

    /// <summary>Checks the full name of a type that becomes one of C#.</summary>
    /// <exception cref="SchemaException">Generated code means something else by it, or by its namespace.</exception>
    public static void Check(NamedType type)
    {
        if (Types.Contains(type.FullName) || Namespaces.Contains(type.FullName))
            throw Reserved(type, type.FullName);
        for (string space = type.Namespace; space.Length > 0; space = Parent(space))
        {
            if (Types.Contains(space))
                throw Reserved(type, space);
        }
    }

    private static SchemaException Reserved(NamedType type, string name) => new("KESAVRO006", type.Node.Position,
        $"The type {type.FullName} cannot be generated: generated code means something else by the name {name}.");

    private static string Parent(string name) => name.LastIndexOf('.') is > 0 and int dot ? name.Substring(0, dot) : "";

    private static HashSet<string> Parents()
    {
        var parents = new HashSet<string>(StringComparer.Ordinal);
        foreach (string type in Types)
        {
            for (string space = Parent(type); space.Length > 0; space = Parent(space))
                parents.Add(space);
        }

        return parents;
    }
}
