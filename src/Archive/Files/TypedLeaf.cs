using KafkaEventSourcing.Avro;
using ParquetSharp;
using ParquetSharp.Schema;

namespace KafkaEventSourcing.Archive;

/// <summary>A column of a typed table: its values and levels, row by row, until a row group is written. Not thread-safe.</summary>
internal abstract class TypedLeaf(string name) : TypedNode(name)
{
    private readonly List<int> _rowLevels = [];
    private readonly List<int> _rowValues = [];
    private short[] _definitions = new short[256];
    private short[] _repetitions = new short[256];

    /// <summary>How many levels it has; each null, and each list without items, has one too.</summary>
    public int Levels { get; private set; }

    /// <summary>How many values it has.</summary>
    protected abstract int Values { get; set; }

    /// <summary>What follows is of the next row.</summary>
    public void BeginRow()
    {
        _rowLevels.Add(Levels);
        _rowValues.Add(Values);
    }

    /// <summary>Takes the row that was begun last back.</summary>
    public void TakeBackRow()
    {
        int row = _rowLevels.Count - 1;
        (Levels, Values) = (_rowLevels[row], _rowValues[row]);
        _rowLevels.RemoveAt(row);
        _rowValues.RemoveAt(row);
    }

    /// <summary>Forgets all rows and keeps the room.</summary>
    public void Clear()
    {
        Levels = Values = 0;
        _rowLevels.Clear();
        _rowValues.Clear();
    }

    /// <summary>Writes the rows in an order.</summary>
    public void Write(RowGroupWriter group, ReadOnlySpan<int> order)
    {
        short[] definitions = new short[Levels];
        short[] repetitions = new short[Levels];
        int[] values = new int[Values];
        int level = 0;
        int value = 0;
        foreach (int row in order)
        {
            (int first, int end) = (_rowLevels[row], row + 1 < _rowLevels.Count ? _rowLevels[row + 1] : Levels);
            _definitions.AsSpan(first, end - first).CopyTo(definitions.AsSpan(level));
            _repetitions.AsSpan(first, end - first).CopyTo(repetitions.AsSpan(level));
            level += end - first;
            end = row + 1 < _rowValues.Count ? _rowValues[row + 1] : Values;
            for (int i = _rowValues[row]; i < end; i++)
                values[value++] = i;
        }

        Write(group, definitions, repetitions, values);
    }

    public sealed override void AppendMissing(short repetition, short definition)
    {
        if (Levels == _definitions.Length)
        {
            Array.Resize(ref _definitions, Levels * 2);
            Array.Resize(ref _repetitions, Levels * 2);
        }

        (_definitions[Levels], _repetitions[Levels]) = (definition, repetition);
        Levels++;
    }

    /// <summary>Writes levels, and the values that <paramref name="order"/> names.</summary>
    protected abstract void Write(RowGroupWriter group, ReadOnlySpan<short> definitions, ReadOnlySpan<short> repetitions,
        ReadOnlySpan<int> order);
}

/// <summary>How a value of Avro becomes one of Parquet.</summary>
/// <exception cref="AvroDecodeException">It is not a value of the schema.</exception>
internal delegate T ReadTyped<out T>(ref AvroReader reader);

/// <summary>A column whose values are <typeparamref name="T"/>.</summary>
/// <param name="name">Its name.</param>
/// <param name="levels">The highest levels of definition and of repetition.</param>
/// <param name="type">What its values mean.</param>
/// <param name="read">Reads a value; null: its values are given.</param>
internal sealed class TypedLeaf<T>(string name, TypedLevels levels, TypedColumnType type, ReadTyped<T>? read) : TypedLeaf(name)
    where T : unmanaged
{
    private T[] _values = new T[256];
    private T[] _ordered = [];

    protected override int Values { get; set; }

    public override void Append(ref AvroReader reader, short repetition, short definition)
    {
        T value = read!(ref reader);
        Append(value, repetition, definition);
    }

    public void Append(T value, short repetition = 0, short definition = 0)
    {
        AppendMissing(repetition, definition);
        if (Values == _values.Length)
            Array.Resize(ref _values, Values * 2);
        _values[Values++] = value;
    }

    public override Node Schema(Repetition repetition)
    {
        using LogicalType logical = type.Logical();
        return new PrimitiveNode(Name, repetition, logical, type.Physical, type.Length);
    }

    protected override void Write(RowGroupWriter group, ReadOnlySpan<short> definitions, ReadOnlySpan<short> repetitions,
        ReadOnlySpan<int> order)
    {
        if (_ordered.Length < order.Length)
            _ordered = new T[_values.Length];
        for (int i = 0; i < order.Length; i++)
            _ordered[i] = _values[order[i]];
        using var column = (ColumnWriter<T>)group.NextColumn();
        column.WriteBatch(definitions.Length, levels.Definition > 0 ? definitions : default, levels.Repetition > 0 ? repetitions : default,
            _ordered.AsSpan(0, order.Length));
    }
}

/// <summary>The type of a column of Parquet.</summary>
internal sealed record TypedColumnType(PhysicalType Physical, Func<LogicalType> Logical, int Length = -1);

/// <summary>How many optional or repeated, and how many repeated parts there are from the root to a part of the schema, with it.</summary>
internal readonly record struct TypedLevels(short Definition, short Repetition)
{
    public TypedLevels Optional() => this with { Definition = (short)(Definition + 1) };

    public TypedLevels Repeated() => new((short)(Definition + 1), (short)(Repetition + 1));
}
