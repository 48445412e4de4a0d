using System.Linq;
using System.Text;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>C# that gives and takes the fields of a record in the object form of Apache.Avro, for serializers of others.</summary>
internal sealed class ApacheCode
{
    private const string Values = "global::KafkaEventSourcing.Avro.ApacheValues.";

    private int _locals;

    public static void Emit(StringBuilder code, NamedType type)
    {
        var values = new ApacheCode();
        code.Append("    object global::Avro.Specific.ISpecificRecord.Get(int fieldPos) => fieldPos switch\n    {\n");
        for (int i = 0; i < type.Fields.Count; i++)
            code.Append($"        {i} => {values.Boxed(type.Fields[i].Type, $"_f{i}", CodecCode.Place(type, type.Fields[i]))},\n");
        code.Append($"        _ => throw new global::Avro.AvroRuntimeException(\"{type.Name} has no field \" + fieldPos),\n    }};\n\n");
        code.Append("    void global::Avro.Specific.ISpecificRecord.Put(int fieldPos, object fieldValue)\n    {\n"
            + "        switch (fieldPos)\n        {\n");
        for (int i = 0; i < type.Fields.Count; i++)
            code.Append($"            case {i}: _f{i} = {values.Unboxed(type.Fields[i].Type, "fieldValue")}; return;\n");
        code.Append($"            default: throw new global::Avro.AvroRuntimeException(\"{type.Name} has no field \" + fieldPos);\n"
            + "        }\n    }\n");
    }

    private static bool IsConverted(AvroType type) => type.Kind switch
    {
        AvroKind.Scalar => type.Scalar!.Boxed is not null,
        AvroKind.Array or AvroKind.Map or AvroKind.Nullable => IsConverted(type.Inner!),
        AvroKind.Union => true,
        _ => false,
    };

    private string Boxed(AvroType type, string value, string place)
    {
        string local = $"b{_locals++}";
        return type.Kind switch
        {
            AvroKind.Scalar when type.Scalar!.Boxed is { } boxed => boxed(value, place),
            AvroKind.Array when IsConverted(type) => $"{Values}FromList({value}, static {local} => {Boxed(type.Inner!, local, place)})",
            AvroKind.Map when IsConverted(type) => $"{Values}FromMap({value}, static {local} => {Boxed(type.Inner!, local, place)})",
            AvroKind.Array =>
                $"(object)({value} as global::System.Collections.IList ?? new "
                    + $"global::System.Collections.Generic.List<{type.Inner!.CSharp}>({value}))",
            AvroKind.Map =>
                $"(object)({value} as global::System.Collections.IDictionary ?? new "
                    + $"global::System.Collections.Generic.Dictionary<string, {type.Inner!.CSharp}>({value}))",
            AvroKind.Nullable => $"({value} is {{ }} {local} ? {Boxed(type.Inner!, local, place)} : null!)",
            AvroKind.Union => $"({value} switch {{ "
                + string.Concat(type.Branches.Select((b, i) =>
                    $"{type.UnionName}.{b.Name} {local}_{i} => {Boxed(b.Type, $"{local}_{i}.Value", place)}, "))
                + "_ => null! })",
            _ => $"(object){value}",
        };
    }

    private string Unboxed(AvroType type, string value)
    {
        string local = $"u{_locals++}";
        return type.Kind switch
        {
            AvroKind.Scalar when type.Scalar!.Unboxed is { } unboxed => unboxed(value),
            AvroKind.Array when IsConverted(type) =>
                $"{Values}ToList<{type.Inner!.CSharp}>({value}, static {local} => {Unboxed(type.Inner!, local)})",
            AvroKind.Map when IsConverted(type) =>
                $"{Values}ToMap<{type.Inner!.CSharp}>({value}, static {local} => {Unboxed(type.Inner!, local)})",
            AvroKind.Nullable => $"({value} is null ? default({type.CSharp}) : {Unboxed(type.Inner!, value)})",
            AvroKind.Union => UnboxedUnion(type, value),
            _ => $"({type.CSharp}){value}",
        };
    }

    // By the type that Apache.Avro has; the last branch takes what is left.
    private string UnboxedUnion(AvroType union, string value)
    {
        var code = new StringBuilder("(");
        if (union.HasNull)
            code.Append($"{value} is null ? default({union.CSharp}) : ");
        for (int i = 0; i < union.Branches.Count; i++)
        {
            UnionBranch branch = union.Branches[i];
            if (i < union.Branches.Count - 1)
                code.Append($"{Test(branch.Type, value)} ? ");
            code.Append($"({union.CSharp})new {union.UnionName}.{branch.Name}({Unboxed(branch.Type, value)})");
            if (i < union.Branches.Count - 1)
                code.Append(" : ");
        }

        return code.Append(')').ToString();
    }

    private static string Test(AvroType type, string value) => type.Kind switch
    {
        AvroKind.Array => $"{value} is global::System.Collections.IList and not byte[]",
        AvroKind.Map => $"{value} is global::System.Collections.IDictionary",
        AvroKind.Scalar when type.Scalar!.IsBoxed is { } isBoxed => isBoxed(value),
        _ => $"{value} is {type.CSharp}",
    };
}
