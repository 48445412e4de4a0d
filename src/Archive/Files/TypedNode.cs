using KafkaEventSourcing.Avro;
using ParquetSharp;
using ParquetSharp.Schema;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// A part of an Avro schema as Parquet has it: a column, or a group of them. A value goes into columns as Dremel has it: each column keeps
/// beside its values how much of what is around them is there (definition), and in which list a further item begins (repetition).
/// </summary>
internal abstract class TypedNode(string name)
{
    /// <summary>Its name in the file.</summary>
    public string Name => name;

    /// <summary>Reads a value into the columns.</summary>
    /// <exception cref="AvroDecodeException">The bytes are not a value of the schema.</exception>
    public abstract void Append(ref AvroReader reader, short repetition, short definition);

    /// <summary>There is no value, as something around it is not there.</summary>
    public abstract void AppendMissing(short repetition, short definition);

    /// <summary>How the file's schema has it.</summary>
    public abstract Node Schema(Repetition repetition);
}

/// <summary>A record.</summary>
internal sealed class TypedGroup(string name, IReadOnlyList<TypedNode> fields) : TypedNode(name)
{
    public override void Append(ref AvroReader reader, short repetition, short definition)
    {
        reader.Enter();
        foreach (TypedNode field in fields)
            field.Append(ref reader, repetition, definition);
        reader.Leave();
    }

    public override void AppendMissing(short repetition, short definition)
    {
        foreach (TypedNode field in fields)
            field.AppendMissing(repetition, definition);
    }

    public override Node Schema(Repetition repetition) =>
        new GroupNode(Name, repetition, [.. fields.Select(f => f.Schema(Repetition.Required))]);
}

/// <summary>What has no value but null: a column in which there is nothing.</summary>
internal sealed class TypedNull(TypedNode column) : TypedNode(column.Name)
{
    public override void Append(ref AvroReader reader, short repetition, short definition) =>
        column.AppendMissing(repetition, definition);

    public override void AppendMissing(short repetition, short definition) => column.AppendMissing(repetition, definition);

    public override Node Schema(Repetition repetition) => column.Schema(Repetition.Optional);
}

/// <summary>A union of null and one other type.</summary>
internal sealed class TypedOptional(TypedNode inner, int nullBranch) : TypedNode(inner.Name)
{
    private const int Branches = 2;

    public override void Append(ref AvroReader reader, short repetition, short definition)
    {
        if (reader.ReadIndex(Branches) == nullBranch)
            inner.AppendMissing(repetition, definition);
        else
            inner.Append(ref reader, repetition, (short)(definition + 1));
    }

    public override void AppendMissing(short repetition, short definition) => inner.AppendMissing(repetition, definition);

    public override Node Schema(Repetition repetition) => inner.Schema(Repetition.Optional);
}

/// <summary>A union of several types: a group with a member for each, of which the one that is chosen is there.</summary>
/// <param name="name">Its name.</param>
/// <param name="members">By branch; null: the branch is null, where the group itself is not there.</param>
internal sealed class TypedUnion(string name, IReadOnlyList<TypedNode?> members) : TypedNode(name)
{
    private readonly bool _isOptional = members.Contains(null);

    public override void Append(ref AvroReader reader, short repetition, short definition)
    {
        int chosen = reader.ReadIndex(members.Count);
        if (members[chosen] is null)
        {
            AppendMissing(repetition, definition);
            return;
        }

        short there = (short)(definition + (_isOptional ? 1 : 0));
        for (int i = 0; i < members.Count; i++)
        {
            if (i == chosen)
                members[i]!.Append(ref reader, repetition, (short)(there + 1));
            else
                members[i]?.AppendMissing(repetition, there);
        }
    }

    public override void AppendMissing(short repetition, short definition)
    {
        foreach (TypedNode? member in members)
            member?.AppendMissing(repetition, definition);
    }

    public override Node Schema(Repetition repetition) => new GroupNode(Name, _isOptional ? Repetition.Optional : repetition,
        [.. members.OfType<TypedNode>().Select(m => m.Schema(Repetition.Optional))]);
}

/// <summary>An array, as a LIST of three levels.</summary>
internal sealed class TypedList(string name, TypedNode element, short level, bool mayBeEmpty) : TypedNode(name)
{
    /// <summary>What its items are called.</summary>
    public const string Element = "element";

    public override void Append(ref AvroReader reader, short repetition, short definition)
    {
        reader.Enter();
        short at = repetition; // of the first item; it is below the level of the list
        for (int count = Next(ref reader); count != 0; count = Next(ref reader))
        {
            for (; count > 0; count--, at = level)
                element.Append(ref reader, at, (short)(definition + 1));
        }

        if (at != level)
            element.AppendMissing(repetition, definition);
        reader.Leave();
    }

    public override void AppendMissing(short repetition, short definition) => element.AppendMissing(repetition, definition);

    public override Node Schema(Repetition repetition)
    {
        using var list = LogicalType.List();
        return new GroupNode(Name, repetition, [new GroupNode("list", Repetition.Repeated, [element.Schema(Repetition.Required)])], list);
    }

    private int Next(ref AvroReader reader) => mayBeEmpty ? reader.ReadEmptyCount() : reader.ReadBlockCount();
}

/// <summary>A map, as a MAP.</summary>
internal sealed class TypedMap(string name, TypedLeaf<ByteArray> key, TypedNode value, short level) : TypedNode(name)
{
    public override void Append(ref AvroReader reader, short repetition, short definition)
    {
        reader.Enter();
        short at = repetition;
        HashSet<string>? keys = null;
        for (int count = reader.ReadBlockCount(); count != 0; count = reader.ReadBlockCount())
        {
            keys ??= [];
            for (; count > 0; count--, at = level)
            {
                // Readers of Parquet take a second value of a key, or the first, or neither.
                AvroReader ahead = reader;
                if (!keys.Add(ahead.ReadString()))
                    throw new AvroDecodeException(reader.Position, $"The map {Name} has a key twice.");
                key.Append(ref reader, at, (short)(definition + 1));
                value.Append(ref reader, at, (short)(definition + 1));
            }
        }

        if (at != level)
            AppendMissing(repetition, definition);
        reader.Leave();
    }

    public override void AppendMissing(short repetition, short definition)
    {
        key.AppendMissing(repetition, definition);
        value.AppendMissing(repetition, definition);
    }

    public override Node Schema(Repetition repetition)
    {
        using var map = LogicalType.Map();
        return new GroupNode(Name, repetition,
            [new GroupNode("key_value", Repetition.Repeated, [key.Schema(Repetition.Required), value.Schema(Repetition.Required)])], map);
    }
}
