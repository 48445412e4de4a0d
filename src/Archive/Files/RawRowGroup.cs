using Utf8 = System.Text.Encoding;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using ParquetSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>A row group of a raw file in memory. Keeps its buffers for the next. Not thread-safe.</summary>
internal sealed class RawRowGroup
{
    private const int MaxNames = 1024;
    private const int BatchRows = 4096;

    private readonly ByteValues _keys = new();
    private readonly ByteValues _values = new();
    private readonly ByteValues _headerNames = new();
    private readonly ByteValues _headerValues = new();
    private readonly ByteValues _commandIds = new();
    private readonly ByteValues _correlationIds = new();
    private readonly ByteValues _eventTypes = new();
    private readonly List<SameAs> _headerSames = [];
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);
    private readonly short[] _definitions = new short[BatchRows];
    private readonly short[] _repetitions = new short[BatchRows];
    private readonly ByteArray[] _bytes = new ByteArray[BatchRows];
    private long[] _offsets = [];
    private long[] _timestamps = [];
    private long[] _times = [];
    private long[] _versions = [];
    private int[] _timestampTypes = [];
    private int[] _firstHeaders = [];
    private int[] _order = [];
    private int _rows;

    /// <summary>Reads a row group.</summary>
    public void Read(RowGroupReader group)
    {
        _rows = checked((int)group.MetaData.NumRows);
        ReadLongs(group, RawFileFormat.Offset, ref _offsets, isOptional: false);
        ReadLongs(group, RawFileFormat.Timestamp, ref _timestamps, isOptional: true);
        ReadLongs(group, RawFileFormat.TimestampBits, ref _timestamps, isOptional: true);
        ReadInts(group, RawFileFormat.TimestampType, ref _timestampTypes);
        ReadBytes(group, RawFileFormat.Key, _keys);
        ReadBytes(group, RawFileFormat.Value, _values);
        ReadHeaders(group, RawFileFormat.HeaderName, _headerNames);
        ReadHeaders(group, RawFileFormat.HeaderValue, _headerValues);
        ReadSames(group);
        ReadBytes(group, RawFileFormat.CommandId, _commandIds);
        ReadBytes(group, RawFileFormat.CorrelationId, _correlationIds);
        ReadBytes(group, RawFileFormat.EventType, _eventTypes);
        ReadLongs(group, RawFileFormat.Time, ref _times, isOptional: true);
        ReadLongs(group, RawFileFormat.Version, ref _versions, isOptional: true);
        if (_headerValues.Count != _headerNames.Count || _headerSames.Count != _headerNames.Count)
            throw new InvalidDataException("The columns of the headers do not have the same number of them.");
        if (_order.Length < _rows)
            _order = new int[_rows];
        for (int i = 0; i < _rows; i++)
            _order[i] = i;
        Array.Sort(_offsets, _order, 0, _rows);
    }

    /// <summary>Its records from <paramref name="fromOffset"/> on, by offset.</summary>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Records(TopicPartition partition, long fromOffset)
    {
        int first = Array.BinarySearch(_offsets, 0, _rows, fromOffset);
        for (int i = first < 0 ? ~first : first; i < _rows; i++)
            yield return Record(partition, _offsets[i], _order[i]);
    }

    private ConsumeResult<byte[], byte[]> Record(TopicPartition partition, long offset, int row)
    {
        var headers = new Headers();
        for (int header = _firstHeaders[row]; header < _firstHeaders[row + 1]; header++)
            headers.Add(NameOf(_headerNames[header]), ValueOf(header, row)!);
        return new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(partition, offset),
            Message = new Message<byte[], byte[]>
            {
                Key = _keys.ToArray(row)!,
                Value = _values.ToArray(row)!,
                Headers = headers,
                Timestamp = new Timestamp(_timestamps[row], (TimestampType)_timestampTypes[row]),
            },
        };
    }

    private byte[]? ValueOf(int header, int row) => _headerSames[header] switch
    {
        SameAs.None => _headerValues.ToArray(header),
        SameAs.CommandId => _commandIds.ToArray(row),
        SameAs.CorrelationId => _correlationIds.ToArray(row),
        SameAs.Key => _keys.ToArray(row),
        SameAs.EventType => _eventTypes.ToArray(row),
        SameAs.Time => CloudEventHeaders.Encode(AvroTime.FromMicros(_times[row])),
        SameAs.Version => CloudEventHeaders.Encode(_versions[row]),
        var other => throw new InvalidDataException($"A header is the same as a column {(int)other}, which there is not."),
    };

    // Names are few and come again and again.
    private string NameOf(ReadOnlySpan<byte> utf8)
    {
        Span<char> name = stackalloc char[128];
        if (utf8.Length > name.Length)
            return Utf8.UTF8.GetString(utf8);
        name = name[..Utf8.UTF8.GetChars(utf8, name)];
        Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> names = _names.GetAlternateLookup<ReadOnlySpan<char>>();
        if (names.TryGetValue(name, out string? known))
            return known;
        string text = name.ToString();
        if (_names.Count < MaxNames)
            _names.Add(text, text);
        return text;
    }

    // Both columns of the timestamp fill one array: where one has a null the other has the number.
    private void ReadLongs(RowGroupReader group, int index, ref long[] values, bool isOptional)
    {
        Reserve(ref values, _rows);
        using var column = (ColumnReader<long>)group.Column(index);
        Span<long> batch = stackalloc long[256];
        for (int row = 0; row < _rows;)
        {
            if (!isOptional)
            {
                row += Some(column.ReadBatch(_rows - row, values.AsSpan(row, _rows - row), out _));
                continue;
            }

            int most = Math.Min(batch.Length, _rows - row);
            int levels = Some(column.ReadBatch(most, _definitions.AsSpan(0, most), _repetitions.AsSpan(0, most), batch[..most], out _));
            int value = 0;
            for (int i = 0; i < levels; i++, row++)
            {
                if (_definitions[i] == 1)
                    values[row] = batch[value++];
            }
        }
    }

    private void ReadInts(RowGroupReader group, int index, ref int[] values)
    {
        Reserve(ref values, _rows);
        using var column = (ColumnReader<int>)group.Column(index);
        for (int row = 0; row < _rows;)
            row += Some(column.ReadBatch(_rows - row, values.AsSpan(row, _rows - row), out _));
    }

    private void ReadBytes(RowGroupReader group, int index, ByteValues values)
    {
        values.Clear();
        using var column = (ColumnReader<ByteArray>)group.Column(index);
        while (values.Count < _rows)
        {
            int most = Math.Min(BatchRows, _rows - values.Count);
            int levels = Some(column.ReadBatch(most, _definitions.AsSpan(0, most), _repetitions.AsSpan(0, most), _bytes.AsSpan(0, most),
                out _));
            Add(values, levels, 1);
        }
    }

    private void ReadHeaders(RowGroupReader group, int index, ByteValues values)
    {
        values.Clear();
        Reserve(ref _firstHeaders, _rows + 1);
        using var column = (ColumnReader<ByteArray>)group.Column(index);
        int row = 0;
        bool isName = index == RawFileFormat.HeaderName;
        while (column.HasNext)
        {
            int levels = Some(column.ReadBatch(BatchRows, _definitions, _repetitions, _bytes, out _));
            int value = 0;
            for (int i = 0; i < levels; i++)
            {
                if (_repetitions[i] == 0 && row == _rows)
                    throw new InvalidDataException("A column has more rows than the row group.");
                if (_repetitions[i] == 0)
                    _firstHeaders[row++] = values.Count;
                if (_definitions[i] == RawFileFormat.HeaderWithValue || (isName && _definitions[i] == RawFileFormat.Header))
                    values.Add(PinnedBytes.Span(_bytes[value++]));
                else if (_definitions[i] == RawFileFormat.Header)
                    values.AddNull();
            }
        }

        if (row != _rows)
            throw new InvalidDataException("A column has fewer rows than the row group.");
        _firstHeaders[row] = values.Count;
    }

    // The library gives nothing, again and again, where a column ends before its row group does.
    private static int Some(long read) =>
        read > 0 ? (int)read : throw new InvalidDataException("A column has fewer rows than the row group.");

    private void ReadSames(RowGroupReader group)
    {
        _headerSames.Clear();
        Span<int> batch = stackalloc int[256];
        using var column = (ColumnReader<int>)group.Column(RawFileFormat.HeaderSameAs);
        while (column.HasNext)
        {
            int levels = Some(column.ReadBatch(batch.Length, _definitions, _repetitions, batch, out _));
            int value = 0;
            for (int i = 0; i < levels; i++)
            {
                if (_definitions[i] != RawFileFormat.NoHeader)
                    _headerSames.Add(_definitions[i] == RawFileFormat.HeaderWithValue ? (SameAs)batch[value++] : SameAs.None);
            }
        }
    }

    private void Add(ByteValues values, int levels, short present)
    {
        int value = 0;
        for (int i = 0; i < levels; i++)
        {
            if (_definitions[i] == present)
                values.Add(PinnedBytes.Span(_bytes[value++]));
            else
                values.AddNull();
        }
    }

    private static void Reserve<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
            buffer = new T[length];
    }
}
