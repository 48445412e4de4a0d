using System.Collections.Generic;
using System.Linq;
using System.Text;

namespace KafkaEventSourcing.Avro.Generator;

/// <summary>C# that reads and writes a record in Avro's binary encoding.</summary>
internal sealed class CodecCode
{
    private const string Pair = "global::System.Collections.Generic.KeyValuePair";
    private const string Writer = "global::KafkaEventSourcing.Avro.AvroWriter";

    private readonly StringBuilder _code;
    private int _locals;

    private CodecCode(StringBuilder code) => _code = code;

    /// <summary>A constructor that reads: what is read needs no check.</summary>
    public static void EmitRead(StringBuilder code, NamedType type)
    {
        const string Indent = "        ";
        var read = new CodecCode(code);
        code.Append($"    [global::System.Diagnostics.CodeAnalysis.SetsRequiredMembers]\n    private {Identifier.Of(type.ClrName)}(ref "
            + $"global::KafkaEventSourcing.Avro.AvroReader reader)\n    {{\n{Indent}reader.Enter();\n");
        for (int i = 0; i < type.Fields.Count; i++)
        {
            if (type.Fields[i].Type.Kind is AvroKind.Scalar or AvroKind.Record or AvroKind.Enum)
            {
                code.Append($"{Indent}_f{i} = {Opened(type.Fields[i], ReadExpression(type.Fields[i].Type))};\n");
                continue;
            }

            read.Read(type.Fields[i].Type, $"f{i}", Indent);
            code.Append($"{Indent}_f{i} = {Opened(type.Fields[i], $"f{i}")};\n");
        }

        code.Append($"{Indent}reader.Leave();\n    }}\n\n");
    }

    public static void EmitWrite(StringBuilder code, NamedType type)
    {
        const string Indent = "        ";
        var write = new CodecCode(code);
        code.Append("    /// <summary>Writes the value in Avro's binary encoding, without any framing.</summary>\n");
        code.Append($"    public void WriteTo(ref {Writer} writer)\n    {{\n{Indent}writer.Enter(\"{type.Name}\");\n");
        for (int i = 0; i < type.Fields.Count; i++)
            write.Write(type.Fields[i].Type, Sealed(type, i), Place(type, type.Fields[i]), Indent);
        code.Append($"{Indent}writer.Leave();\n    }}\n\n");
    }

    /// <summary>Where an error says that a value is, as a C# literal.</summary>
    public static string Place(NamedType type, AvroField field) => $"\"{type.Name}.{field.Name}\"";

    private static string Opened(AvroField field, string value) => field.IsPersonal ? $"reader.Opened({value})" : value;

    private static string Sealed(NamedType type, int place)
    {
        AvroField field = type.Fields[place];
        return !field.IsPersonal ? $"_f{place}"
            : field.Subject < 0 ? $"writer.Sealed(_f{place}, {Place(type, field)})"
            : $"writer.SealedFor(_f{field.Subject}, _f{place}, {Place(type, field)})";
    }

    private void Read(AvroType type, string target, string indent)
    {
        switch (type.Kind)
        {
            case AvroKind.Nullable:
                _code.Append($"{indent}{type.CSharp} {target} = default;\n{indent}if (reader.ReadIndex(2) "
                    + $"== {(type.NullFirst ? 1 : 0)})\n{indent}{{\n");
                Read(type.Inner!, target + "v", indent + "    ");
                _code.Append($"{indent}    {target} = {target}v;\n{indent}}}\n");
                return;
            case AvroKind.Union:
                ReadUnion(type, target, indent);
                return;
            case AvroKind.Array:
            case AvroKind.Map:
                string inner = type.Inner!.CSharp;
                bool map = type.Kind == AvroKind.Map;
                string made = $"global::System.Collections.Generic.{(map ? $"Dictionary<string, {inner}>" : $"List<{inner}>")}";
                _code.Append($"{indent}{made} {target} = new {made}();\n");
                _code.Append($"{indent}reader.Enter();\n");
                string count = map || !IsEmpty(type.Inner) ? "reader.ReadBlockCount()" : "reader.ReadEmptyCount()";
                _code.Append($"{indent}for (int {target}n = {count}; {target}n != 0; {target}n = {count})\n{indent}{{\n");
                _code.Append($"{indent}    for (int {target}i = 0; {target}i < {target}n; {target}i++)\n{indent}    {{\n");
                if (map)
                    _code.Append($"{indent}        string {target}k = reader.ReadString();\n");
                Read(type.Inner!, target + "v", indent + "        ");
                _code.Append(map ? $"{indent}        {target}[{target}k] = {target}v;\n" : $"{indent}        {target}.Add({target}v);\n");
                _code.Append($"{indent}    }}\n{indent}}}\n{indent}reader.Leave();\n");
                return;
            default:
                _code.Append($"{indent}{type.CSharp} {target} = {ReadExpression(type)};\n");
                return;
        }
    }

    private void ReadUnion(AvroType union, string target, string indent)
    {
        _code.Append($"{indent}{union.CSharp} {target} = default!;\n{indent}switch (reader.ReadIndex({union.BranchCount}))\n{indent}{{\n");
        foreach (UnionBranch branch in union.Branches)
        {
            _code.Append($"{indent}    case {branch.Index}:\n{indent}    {{\n");
            Read(branch.Type, target + "v", indent + "        ");
            _code.Append($"{indent}        {target} = new {union.UnionName}.{branch.Name}({target}v);\n");
            _code.Append($"{indent}        break;\n{indent}    }}\n");
        }

        _code.Append($"{indent}}}\n");
    }

    // Whether values take no byte: those of a record whose fields take none. One that contains itself has no value at all.
    private static bool IsEmpty(AvroType type)
    {
        if (type.Kind != AvroKind.Record)
            return type.Kind == AvroKind.Scalar && type.Scalar!.IsEmpty;
        NamedType record = type.Named!;
        if (record.IsEmpty is null)
        {
            record.IsEmpty = false;
            record.IsEmpty = record.Fields.All(f => IsEmpty(f.Type));
        }

        return record.IsEmpty.Value;
    }

    private static string ReadExpression(AvroType type) => type.Kind switch
    {
        AvroKind.Scalar => type.Scalar!.Read,
        AvroKind.Enum => $"({type.CSharp})reader.ReadIndex({type.Named!.Symbols.Count})",
        _ => $"{type.CSharp}.ReadFrom(ref reader)",
    };

    private void Write(AvroType type, string value, string place, string indent)
    {
        switch (type.Kind)
        {
            case AvroKind.Nullable:
                int valueBranch = type.NullFirst ? 1 : 0;
                string local = $"v{_locals++}";
                _code.Append($"{indent}if ({value} is {{ }} {local})\n{indent}{{\n{indent}    writer.WriteInt({valueBranch});\n");
                Write(type.Inner!, local, place, indent + "    ");
                _code.Append($"{indent}}}\n{indent}else\n{indent}{{\n{indent}    writer.WriteInt({1 - valueBranch});\n{indent}}}\n");
                return;
            case AvroKind.Union:
                WriteUnion(type, value, place, indent);
                return;
            case AvroKind.Array:
            case AvroKind.Map:
                WriteCollection(type, value, place, indent);
                return;
            default:
                _code.Append(indent).Append(type.Kind switch
                {
                    AvroKind.Scalar => type.Scalar!.Write(value, place),
                    AvroKind.Enum => $"writer.WriteSymbol((int){value}, {type.Named!.Symbols.Count}, {place})",
                    _ => $"({value} ?? throw {Writer}.Null({place})).WriteTo(ref writer)",
                }).Append(";\n");
                return;
        }
    }

    private void WriteUnion(AvroType union, string value, string place, string indent)
    {
        _code.Append($"{indent}switch ({value})\n{indent}{{\n");
        if (union.HasNull)
            _code.Append($"{indent}    case null:\n{indent}        writer.WriteInt({union.NullBranch});\n{indent}        break;\n");
        foreach (UnionBranch branch in union.Branches)
        {
            string local = $"v{_locals++}";
            _code.Append($"{indent}    case {union.UnionName}.{branch.Name} {local}:\n{indent}    {{\n");
            _code.Append($"{indent}        writer.WriteInt({branch.Index});\n");
            Write(branch.Type, local + ".Value", place, indent + "        ");
            _code.Append($"{indent}        break;\n{indent}    }}\n");
        }

        _code.Append($"{indent}    default:\n{indent}        throw {Writer}.Null({place});\n{indent}}}\n");
    }

    private void WriteCollection(AvroType type, string value, string place, string indent)
    {
        string items = $"c{_locals}";
        string count = $"n{_locals++}";
        bool isArray = type.Kind == AvroKind.Array;
        _code.Append($"{indent}{type.CSharp} {items} = {value} ?? throw {Writer}.Null({place});\n{indent}int {count} = {items}.Count;\n");
        _code.Append($"{indent}writer.Enter({place});\n{indent}if ({count} != 0)\n{indent}{{\n{indent}    "
            + $"writer.WriteCount({count}, {(isArray && IsEmpty(type.Inner!) ? "true" : "false")}, {place});\n");
        if (isArray)
            WriteItems(type.Inner!, items, count, place, indent + "    ");
        else
            WriteEntries(type.Inner!, items, count, place, indent + "    ");
        _code.Append($"{indent}}}\n{indent}writer.WriteLong(0);\n{indent}writer.Leave();\n");
    }

    // By index: an enumerator behind an interface would be an allocation.
    private void WriteItems(AvroType inner, string list, string count, string place, string indent)
    {
        string index = $"i{_locals}";
        string item = $"v{_locals++}";
        _code.Append($"{indent}if ({list}.Count != {count})\n{indent}    throw {Writer}.Miscounted({place});\n");
        _code.Append($"{indent}for (int {index} = 0; {index} < {count}; {index}++)\n{indent}{{\n{indent}    {inner.CSharp} {item} "
            + $"= {list}[{index}];\n");
        Write(inner, item, place, indent + "    ");
        _code.Append($"{indent}}}\n");
    }

    // The same for a map, as far as it is a Dictionary, which those that were read are.
    private void WriteEntries(AvroType inner, string map, string count, string place, string indent)
    {
        string dictionary = $"d{_locals++}";
        _code.Append($"{indent}if ({map} is "
            + $"global::System.Collections.Generic.Dictionary<string, {inner.CSharp}> {dictionary})\n{indent}{{\n");
        WriteEach(inner, dictionary, count, place, indent + "    ");
        _code.Append($"{indent}}}\n{indent}else\n{indent}{{\n");
        WriteEach(inner, map, count, place, indent + "    ");
        _code.Append($"{indent}}}\n");
    }

    private void WriteEach(AvroType inner, string map, string count, string place, string indent)
    {
        string entry = $"v{_locals++}";
        string left = $"n{_locals++}";
        _code.Append($"{indent}int {left} = {count};\n");
        _code.Append($"{indent}foreach ({Pair}<string, {inner.CSharp}> {entry} in {map})\n{indent}{{\n{indent}    {left}--;\n{indent}    "
            + $"writer.WriteString({entry}.Key, {place});\n");
        Write(inner, entry + ".Value", place, indent + "    ");
        _code.Append($"{indent}}}\n{indent}if ({left} != 0)\n{indent}    throw {Writer}.Miscounted({place});\n");
    }
}
