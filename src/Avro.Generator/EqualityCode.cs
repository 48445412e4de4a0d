using System.Collections.Generic;
using System.Text;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>C# of the equality of records, by content through bytes and collections.</summary>
internal static class EqualityCode
{
    /// <summary>Whether C#'s own equality is by reference.</summary>
    public static bool NeedsContent(AvroType type) => type.Kind switch
    {
        AvroKind.Scalar => type.Scalar!.IsBytes,
        AvroKind.Array or AvroKind.Map => true,
        AvroKind.Nullable => NeedsContent(type.Inner!),
        _ => false,
    };

    public static void Emit(StringBuilder code, string name, IReadOnlyList<(string Field, AvroType Type)> fields, string indent)
    {
        code.Append($"\n{indent}/// <summary>Whether both have equal fields, item by item.</summary>\n");
        code.Append($"{indent}public bool Equals({name}? other) => other is not null\n");
        foreach ((string field, AvroType type) in fields)
        {
            code.Append($"{indent}    && " + (NeedsContent(type)
                ? $"global::KafkaEventSourcing.Avro.AvroEquality.Same({field}, other.{field})"
                : $"global::System.Collections.Generic.EqualityComparer<{type.CSharp}>.Default.Equals({field}, other.{field})")
                + "\n");
        }

        code.Append($"{indent}    ;\n\n{indent}/// <summary>A hash of the fields that are not collections.</summary>\n");
        code.Append($"{indent}public override int GetHashCode()\n{indent}{{\n");
        code.Append($"{indent}    global::System.HashCode hash = new global::System.HashCode();\n");
        foreach ((string field, AvroType type) in fields)
        {
            if (!NeedsContent(type))
                code.Append($"{indent}    hash.Add({field});\n");
        }

        code.Append($"{indent}    return hash.ToHashCode();\n{indent}}}\n");
    }
}
