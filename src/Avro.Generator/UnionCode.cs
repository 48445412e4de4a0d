using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>C# of the unions in the fields of a record: an abstract record each, with a record in it for each branch.</summary>
internal static class UnionCode
{
    private const string Indent = "        ";

    public static void Emit(StringBuilder code, NamedType type)
    {
        foreach (AvroField field in type.Fields)
        {
            foreach (AvroType union in UnionsIn(field.Type))
                Emit(code, union, $"{type.Name}.{field.Name}");
        }
    }

    private static IEnumerable<AvroType> UnionsIn(AvroType type) => type.Kind switch
    {
        AvroKind.Array or AvroKind.Map or AvroKind.Nullable => UnionsIn(type.Inner!),
        AvroKind.Union => type.Branches.SelectMany(b => UnionsIn(b.Type)).Prepend(type),
        _ => [],
    };

    private static void Emit(StringBuilder code, AvroType union, string place)
    {
        string name = union.UnionName.Substring(union.UnionName.LastIndexOf('.') + 1);
        code.Append($"\n    /// <summary>What {place} is one of{(union.HasNull ? ", or null" : "")}.</summary>\n");
        code.Append("    [global::System.Text.Json.Serialization.JsonConverter("
            + "typeof(global::KafkaEventSourcing.Avro.AvroUnionJsonConverter))]\n");
        code.Append($"    public abstract record {name}\n    {{\n{Indent}private {name}()\n{Indent}{{\n{Indent}}}\n");
        EmitMatch(code, union);
        foreach (UnionBranch branch in union.Branches)
            EmitBranch(code, branch, name);
        foreach (UnionBranch branch in union.Branches.Where(b => IsConverted(union, b)))
        {
            code.Append($"\n{Indent}/// <summary>The branch {branch.Type.AvroName}.</summary>\n");
            code.Append($"{Indent}public static implicit operator {name}({branch.Type.CSharp} value) => new {branch.Name}(value);\n");
        }

        code.Append("    }\n");
    }

    // That each branch is dealt with is checked by the compiler, which it does not for a switch.
    private static void EmitMatch(StringBuilder code, AvroType union)
    {
        string Parameter(UnionBranch branch) => $"on{branch.Name.TrimStart('@')}";
        IEnumerable<string> parameters = union.Branches.Select(b => $"global::System.Func<{b.Type.CSharp}, TResult> {Parameter(b)}");
        code.Append($"\n{Indent}/// <summary>The result of the function for the branch that this is.</summary>\n");
        code.Append($"{Indent}public TResult Match<TResult>({string.Join(", ", parameters)}) => this switch\n{Indent}{{\n");
        foreach (UnionBranch branch in union.Branches)
            code.Append($"{Indent}    {branch.Name} branch => {Parameter(branch)}(branch.Value),\n");
        code.Append($"{Indent}    _ => throw new global::System.InvalidOperationException(GetType().FullName),\n{Indent}}};\n");
    }

    private static void EmitBranch(StringBuilder code, UnionBranch branch, string union)
    {
        string type = branch.Type.CSharp;
        code.Append($"\n{Indent}/// <summary>The branch {branch.Type.AvroName}.</summary>\n");
        code.Append($"{Indent}[global::KafkaEventSourcing.Avro.AvroBranch({branch.Index}, \"{branch.Type.AvroName}\")]\n");
        code.Append($"{Indent}public sealed record {branch.Name}({type} Value) : {union}");
        bool isChanged = KeptCode.IsChanged(branch.Type);
        bool hasContent = EqualityCode.NeedsContent(branch.Type);
        if (!isChanged && !hasContent)
        {
            code.Append(";\n");
            return;
        }

        code.Append($"\n{Indent}{{\n");
        if (isChanged)
        {
            string kept = KeptCode.Of(branch.Type, "value");
            code.Append($"{Indent}    private readonly {type} _value = {KeptCode.Of(branch.Type, "Value")};\n\n");
            code.Append($"{Indent}    /// <summary>The value.</summary>\n");
            code.Append($"{Indent}    public {type} Value {{ get => _value; init => _value = {kept}; }}\n");
        }

        if (hasContent)
            EqualityCode.Emit(code, branch.Name, [("Value", branch.Type)], Indent + "    ");
        code.Append($"{Indent}}}\n");
    }

    // Interfaces have no conversions, and a type that two branches have says nothing of which.
    private static bool IsConverted(AvroType union, UnionBranch branch) =>
        branch.Type.Kind is AvroKind.Scalar or AvroKind.Record or AvroKind.Enum
            && union.Branches.Count(b => b.Type.CSharp == branch.Type.CSharp) == 1;
}
