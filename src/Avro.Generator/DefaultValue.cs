using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis.CSharp;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>The defaults of fields: whether they are values of the field's type, in Avro and in C#, and their C#.</summary>
internal static class DefaultValue
{
    // As deep as values may be nested.
    private const int MaxDepth = 64;

    /// <summary>Whether <paramref name="value"/> is a value of <paramref name="type"/>; of a union, of its first branch.</summary>
    public static bool Fits(JsonNode value, AvroType type, int depth = 0) => type.Kind switch
    {
        AvroKind.Scalar => type.Scalar!.Fits(value),
        AvroKind.Array or AvroKind.Map or AvroKind.Record when depth >= MaxDepth => false,
        AvroKind.Array => value.Kind == JsonKind.Array && value.Items.All(item => Fits(item, type.Inner!, depth + 1)),
        AvroKind.Map => value.Kind == JsonKind.Object
            && value.Members.All(m => Scalars.IsUnicode(m.Key) && Fits(m.Value, type.Inner!, depth + 1)),
        AvroKind.Nullable => type.NullFirst ? value.Kind == JsonKind.Null : Fits(value, type.Inner!, depth),
        AvroKind.Union => type.NullBranch == 0 ? value.Kind == JsonKind.Null : Fits(value, type.Branches[0].Type, depth),
        AvroKind.Enum => value.Kind == JsonKind.Text && type.Named!.Symbols.Contains(value.Raw),
        _ => value.Kind == JsonKind.Object
            && type.Named!.Fields.All(field => (value[field.Name] ?? field.Default) is { } given && Fits(given, field.Type, depth + 1)),
    };

    /// <summary>The expression of a default that fits.</summary>
    public static string Expression(JsonNode value, AvroType type) => type.Kind switch
    {
        _ when value.Kind == JsonKind.Null => $"default({type.CSharp})",
        AvroKind.Scalar => type.Scalar!.Default(value),
        // A list and a dictionary, as Apache.Avro fills them when it reads.
        AvroKind.Array => $"new global::System.Collections.Generic.List<{type.Inner!.CSharp}>"
            + (value.Items.Count == 0 ? "()" : $" {{ {string.Join(", ", value.Items.Select(item => Expression(item, type.Inner)))} }}"),
        AvroKind.Map => $"new global::System.Collections.Generic.Dictionary<string, {type.Inner!.CSharp}>"
            + (value.Members.Count == 0
                ? "()"
                : $" {{ {string.Join(", ", value.Members.Select(m => $"[{Literal(m.Key)}] = {Expression(m.Value, type.Inner)}"))} }}"),
        AvroKind.Nullable => Expression(value, type.Inner!),
        AvroKind.Union => $"new {type.UnionName}.{type.Branches[0].Name}({Expression(value, type.Branches[0].Type)})",
        AvroKind.Enum => $"{type.CSharp}.{Identifier.Of(value.Raw)}",
        _ => Record(value, type.Named!),
    };

    /// <summary>The records that the default of a field makes: with each, the defaults of its own fields are made.</summary>
    public static IEnumerable<NamedType> Made(JsonNode value, AvroType type) => type.Kind switch
    {
        AvroKind.Array => value.Items.SelectMany(item => Made(item, type.Inner!)),
        AvroKind.Map => value.Members.SelectMany(m => Made(m.Value, type.Inner!)),
        AvroKind.Nullable when value.Kind != JsonKind.Null => Made(value, type.Inner!),
        AvroKind.Union when value.Kind != JsonKind.Null => Made(value, type.Branches[0].Type),
        AvroKind.Record => type.Named!.Fields.Where(f => value[f.Name] is not null).SelectMany(f => Made(value[f.Name]!, f.Type)).Prepend(
            type.Named),
        _ => [],
    };

    // What is not given is what the type makes of itself.
    private static string Record(JsonNode value, NamedType type)
    {
        IReadOnlyList<string> properties = Identifier.Properties(type);
        IEnumerable<string> given = type.Fields.Select((field, i) => (field, i)).Where(f => value[f.field.Name] is not null)
            .Select(f => $"{properties[f.i]} = {Expression(value[f.field.Name]!, f.field.Type)}");
        return $"new {type.ClrPath} {{ {string.Join(", ", given)} }}";
    }

    private static string Literal(string text) => SymbolDisplay.FormatLiteral(text, quote: true);
}
