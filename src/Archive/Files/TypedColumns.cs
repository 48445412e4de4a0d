using KafkaEventSourcing.Avro.Schemas;
using ParquetSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>Makes the columns of a typed table from an Avro schema.</summary>
/// <param name="bytes">Where texts and bytes are until they are written.</param>
internal sealed class TypedColumns(PinnedBytes bytes)
{
    /// <summary>How many columns a table has; what would be more is JSON. A few types in one another, each twice, make millions.</summary>
    public const int MaxColumns = 1000;

    /// <summary>How deep columns are nested in one another; what is deeper is JSON.</summary>
    public const int MaxDepth = 16;

    private static readonly string[] DurationParts = ["months", "days", "milliseconds"]; // in the order of Avro

    private readonly List<TypedLeaf> _leaves = [];
    private readonly TypedValues _values = new(bytes);
    private readonly List<RecordSchema> _open = [];
    private int _depth;

    /// <summary>The columns, in the order of the file.</summary>
    public IReadOnlyList<TypedLeaf> Leaves => _leaves;

    /// <summary>The paths of the columns that must not have statistics.</summary>
    public List<string> WithoutStatistics { get; } = [];

    /// <summary>A column of the event's own, whose values are given.</summary>
    public TypedLeaf<T> Own<T>(string name, TypedColumnType type, bool isOptional = false)
        where T : unmanaged => Add(new TypedLeaf<T>(name, isOptional ? new TypedLevels(1, 0) : default, type, null));

    /// <summary>The fields of the record of an event.</summary>
    /// <param name="record">The schema.</param>
    /// <param name="taken">Names that other columns have.</param>
    public IReadOnlyList<TypedNode> Fields(RecordSchema record, IReadOnlyCollection<string> taken) => Fields(record, taken, "", default);

    private TypedNode[] Fields(RecordSchema record, IReadOnlyCollection<string> taken, string prefix, TypedLevels levels)
    {
        _open.Add(record);
        string[] names = TypedNames.Assign([.. record.Fields.Select(f => f.Name)], taken);
        var fields = new TypedNode[names.Length];
        for (int i = 0; i < names.Length; i++)
            fields[i] = Build(record.Fields[i].Schema, names[i], prefix + names[i], levels);
        _open.Remove(record);
        return fields;
    }

    private TypedNode Build(AvroSchema schema, string name, string path, TypedLevels levels)
    {
        if (schema.Kind == SchemaKind.Null)
            return new TypedNull(Add(TypedValues.Null(name, levels.Optional())));
        if (IsJson(schema))
            return Add(_values.Json(schema, name, levels));
        _depth++;
        TypedNode node = schema switch
        {
            UnionSchema union => Union(union, name, path, levels),
            RecordSchema record => new TypedGroup(name, Fields(record, [], $"{path}.", levels)),
            ArraySchema array => new TypedList(name,
                Build(array.Items, TypedList.Element, $"{path}.list.{TypedList.Element}", levels.Repeated()),
                (short)(levels.Repetition + 1), array.Items.IsEmpty),
            MapSchema map => Map(map, name, path, levels.Repeated()),
            // Parquet's INTERVAL has the same bytes, and ends the reading of a file where a reader does not have it.
            { Logical.Kind: LogicalKind.Duration } => new TypedGroup(name,
                [.. DurationParts.Select(p => Add(TypedValues.Duration(p, levels)))]),
            _ => Scalar(schema, name, path, levels),
        };
        _depth--;
        return node;
    }

    // What Parquet cannot say: a type in itself, and a group without columns.
    private bool IsJson(AvroSchema schema) => schema switch
    {
        RecordSchema record when record.Fields.Count == 0 || _open.Contains(record) => true,
        UnionSchema union when union.Branches.All(b => b.Kind == SchemaKind.Null) => true,
        RecordSchema or UnionSchema or ArraySchema or MapSchema => _leaves.Count >= MaxColumns || _depth >= MaxDepth,
        _ => false,
    };

    private TypedMap Map(MapSchema map, string name, string path, TypedLevels inner)
    {
        TypedLeaf<ByteArray> key = Add(_values.Text("key", inner));
        return new TypedMap(name, key, Build(map.Values, "value", $"{path}.key_value.value", inner), inner.Repetition);
    }

    private TypedNode Union(UnionSchema union, string name, string path, TypedLevels levels)
    {
        int none = union.Branches.Select((b, i) => b.Kind == SchemaKind.Null ? i : -1).Max();
        if (none >= 0)
            levels = levels.Optional();
        if (none >= 0 && union.Branches.Count == 2)
            return new TypedOptional(Build(union.Branches[1 - none], name, path, levels), none);
        string[] names = TypedNames.Assign([.. union.Branches.Select(b => b is NamedSchema named ? named.Name : AvroSchema.NameOf(b.Kind))],
            []);
        var members = new TypedNode?[names.Length];
        for (int i = 0; i < names.Length; i++)
            members[i] = i == none ? null : Build(union.Branches[i], names[i], $"{path}.{names[i]}", levels.Optional());
        return new TypedUnion(name, members);
    }

    private TypedLeaf Scalar(AvroSchema schema, string name, string path, TypedLevels levels)
    {
        // Some readers leave out rows with NaN by the bounds of a column, which NaN is not within.
        if (schema.Kind is SchemaKind.Float or SchemaKind.Double)
            WithoutStatistics.Add(path);
        return Add(_values.Scalar(schema, name, levels));
    }

    private T Add<T>(T leaf)
        where T : TypedLeaf
    {
        _leaves.Add(leaf);
        return leaf;
    }
}
