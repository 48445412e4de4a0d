using System.Runtime.InteropServices;
using ParquetSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>Turns the rows of a row group into the columns of a raw file. Keeps its buffers. Not thread-safe.</summary>
internal sealed class RawRowColumns
{
    private readonly List<ByteArray> _headerNames = [];
    private readonly List<ByteArray?> _headerValues = [];
    private readonly List<SameAs> _headerSames = [];
    private int[] _order = [];
    private RowSortKey[] _keys = [];
    private short[] _definitions = [];
    private short[] _repetitions = [];
    private long[] _longs = [];
    private int[] _ints = [];
    private ByteArray[] _bytes = [];

    private delegate bool Read<T>(in RawRow row, out T value);

    /// <summary>How many headers there are.</summary>
    public int Headers => _headerNames.Count;

    public void AddHeader(ByteArray name, ByteArray? value, SameAs same)
    {
        _headerNames.Add(name);
        _headerValues.Add(value);
        _headerSames.Add(same);
    }

    public void Clear()
    {
        _headerNames.Clear();
        _headerValues.Clear();
        _headerSames.Clear();
    }

    /// <summary>Writes all columns of a row group.</summary>
    public void Write(RowGroupWriter group, ReadOnlySpan<RawRow> rows)
    {
        Sort(rows);
        Write(group, rows, static (in RawRow row, out long value) => (value = row.Offset) == value, isOptional: false);
        Write(group, rows, static (in RawRow row, out long value) => RawFileFormat.IsTime(value = row.Timestamp));
        Write(group, rows, static (in RawRow row, out long value) => !RawFileFormat.IsTime(value = row.Timestamp));
        Write(group, rows, static (in RawRow row, out int value) => (value = row.TimestampType) == value, isOptional: false);
        Write(group, rows, static (in RawRow row, out ByteArray value) => Has(row.IsEvent ? row.Key : null, out value));
        Write(group, rows, static (in RawRow row, out long value) => (value = row.Version) == value && row.IsEvent);
        Write(group, rows, static (in RawRow row, out ByteArray value) => Has(row.EventType, out value));
        Write(group, rows, static (in RawRow row, out long value) => (value = row.Time) == value && row.IsEvent);
        Write(group, rows, static (in RawRow row, out ByteArray value) => Has(row.IsEvent ? row.CommandId : null, out value));
        Write(group, rows, static (in RawRow row, out ByteArray value) => Has(Other(row), out value));
        Write(group, rows, static (in RawRow row, out ByteArray value) => Has(null, out value)); // the cause is the command
        Write(group, rows, static (in RawRow row, out int value) => (value = row.SchemaId ?? 0) == value && row.SchemaId is not null);
        WriteHeaders(group, rows);
        Write(group, rows, static (in RawRow row, out ByteArray value) => Has(row.Key, out value));
        Write(group, rows, static (in RawRow row, out ByteArray value) => Has(row.Value, out value));
    }

    private void Sort(ReadOnlySpan<RawRow> rows)
    {
        Reserve(ref _order, rows.Length);
        Reserve(ref _keys, rows.Length);
        for (int i = 0; i < rows.Length; i++)
            (_order[i], _keys[i]) = (i, new RowSortKey(rows[i].KeyOrder, rows[i].Key, i));
        Array.Sort(_keys, _order, 0, rows.Length);
    }

    private void Write(RowGroupWriter group, ReadOnlySpan<RawRow> rows, Read<long> read, bool isOptional = true) =>
        Write(group, rows, read, ref _longs, isOptional);

    private void Write(RowGroupWriter group, ReadOnlySpan<RawRow> rows, Read<int> read, bool isOptional = true) =>
        Write(group, rows, read, ref _ints, isOptional);

    private void Write(RowGroupWriter group, ReadOnlySpan<RawRow> rows, Read<ByteArray> read) =>
        Write(group, rows, read, ref _bytes, isOptional: true);

    private void Write<T>(RowGroupWriter group, ReadOnlySpan<RawRow> rows, Read<T> read, ref T[] buffer, bool isOptional)
        where T : unmanaged
    {
        Reserve(ref buffer, rows.Length);
        Reserve(ref _definitions, rows.Length);
        int values = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            bool has = read(rows[_order[i]], out buffer[values]);
            _definitions[i] = has ? (short)1 : (short)0;
            values += has ? 1 : 0;
        }

        using var column = (ColumnWriter<T>)group.NextColumn();
        column.WriteBatch(rows.Length, Levels(rows.Length, isOptional), default, buffer.AsSpan(0, values));
    }

    private void WriteHeaders(RowGroupWriter group, ReadOnlySpan<RawRow> rows)
    {
        int most = rows.Length + Headers; // a record without headers has a level too
        Reserve(ref _bytes, most);
        Reserve(ref _definitions, most);
        Reserve(ref _repetitions, most);
        ReadOnlySpan<ByteArray> names = CollectionsMarshal.AsSpan(_headerNames);
        ReadOnlySpan<ByteArray?> headerValues = CollectionsMarshal.AsSpan(_headerValues);
        int levels = 0;
        int values = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            ref readonly RawRow row = ref rows[_order[i]];
            (_definitions[levels], _repetitions[levels]) = (RawFileFormat.NoHeader, 0);
            for (int header = 0; header < row.Headers; header++)
            {
                (_definitions[levels + header], _repetitions[levels + header]) = (RawFileFormat.Header, header == 0 ? (short)0 : (short)1);
                _bytes[values++] = names[row.FirstHeader + header];
            }

            levels += Math.Max(row.Headers, 1);
        }

        using (var column = (ColumnWriter<ByteArray>)group.NextColumn())
            column.WriteBatch(levels, _definitions.AsSpan(0, levels), _repetitions.AsSpan(0, levels), _bytes.AsSpan(0, values));
        values = 0;
        for (int i = 0, level = 0; i < rows.Length; i++)
        {
            ref readonly RawRow row = ref rows[_order[i]];
            for (int header = 0; header < row.Headers; header++)
            {
                if (headerValues[row.FirstHeader + header] is not { } value)
                    continue;
                _definitions[level + header] = RawFileFormat.HeaderWithValue;
                _bytes[values++] = value;
            }

            level += Math.Max(row.Headers, 1);
        }

        using (var column = (ColumnWriter<ByteArray>)group.NextColumn())
            column.WriteBatch(levels, _definitions.AsSpan(0, levels), _repetitions.AsSpan(0, levels), _bytes.AsSpan(0, values));
        WriteSames(group, rows, levels);
    }

    private void WriteSames(RowGroupWriter group, ReadOnlySpan<RawRow> rows, int levels)
    {
        Reserve(ref _ints, levels);
        int values = 0;
        for (int i = 0, level = 0; i < rows.Length; i++)
        {
            ref readonly RawRow row = ref rows[_order[i]];
            for (int header = 0; header < row.Headers; header++)
            {
                SameAs same = _headerSames[row.FirstHeader + header];
                _definitions[level + header] = same == SameAs.None ? RawFileFormat.Header : RawFileFormat.HeaderWithValue;
                if (same != SameAs.None)
                    _ints[values++] = (int)same;
            }

            level += Math.Max(row.Headers, 1);
        }

        using var column = (ColumnWriter<int>)group.NextColumn();
        column.WriteBatch(levels, _definitions.AsSpan(0, levels), _repetitions.AsSpan(0, levels), _ints.AsSpan(0, values));
    }

    private ReadOnlySpan<short> Levels(int count, bool isOptional) => isOptional ? _definitions.AsSpan(0, count) : default;

    // What most events are correlated with is their command: the id is not in the file a second time.
    private static ByteArray? Other(in RawRow row) =>
        row.CorrelationId is { } correlation && correlation.Pointer != row.CommandId.Pointer ? correlation : null;

    private static bool Has(ByteArray? bytes, out ByteArray value)
    {
        value = bytes.GetValueOrDefault();
        return bytes is not null;
    }

    private static void Reserve<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
            buffer = new T[Math.Max(length, buffer.Length * 2)];
    }
}
