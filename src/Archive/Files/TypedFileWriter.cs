using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.EventLog;
using ParquetSharp;
using ParquetSharp.IO;
using ParquetSharp.Schema;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// Writes events of one schema as a table: the columns of the event (<see cref="OwnColumns"/>), then one for each field. Rows of a row
/// group are in the order of aggregate id and offset. Holds a row group in memory at a time. Not thread-safe.
/// </summary>
/// <remarks>
/// A field that is called like a column of the event's own, in capital or small letters, has <c>field_</c> before its name. Unions of null
/// and a type are optional; other unions are a group with an optional member for each branch. A type that contains itself is JSON where it
/// comes again, and so is what has no columns.
/// </remarks>
internal sealed class TypedFileWriter : IDisposable
{
    private const int CompressionLevel = 3;
    private const int MaxGroupLevels = 16 * 1024 * 1024;

    private readonly AbandonableStream _output;
    private readonly ManagedOutputStream _stream;
    private readonly WriterProperties _properties;
    private readonly ParquetFileWriter _file;
    private readonly PinnedBytes _bytes = new();
    private readonly int _groupRows;
    private readonly int _partition;
    private readonly string _type;
    private readonly IReadOnlyList<TypedLeaf> _leaves;
    private readonly TypedLeaf<long> _offset;
    private readonly TypedLeaf<int> _partitions;
    private readonly TypedLeaf<ByteArray> _aggregateId;
    private readonly TypedLeaf<long> _version;
    private readonly TypedLeaf<long> _time;
    private readonly TypedLeaf<ByteArray> _commandId;
    private readonly TypedLeaf<ByteArray> _correlationId;
    private readonly TypedLeaf<ByteArray> _causationId;
    private readonly IReadOnlyList<TypedNode> _fields;
    private readonly List<RowSortKey> _keys = [];
    private long _total;
    private long? _first;
    private long _last = -1;
    private long? _firstTime;
    private long? _lastTime;
    private bool _isComplete;

    /// <summary>Begins a file.</summary>
    /// <param name="output">Where the file goes; it stays open.</param>
    /// <param name="schema">The schema that the events were written with.</param>
    /// <param name="topic">Their topic.</param>
    /// <param name="partition">Their partition.</param>
    /// <param name="groupRows">How many rows a row group has at most.</param>
    public TypedFileWriter(Stream output, RecordSchema schema, string topic, int partition, int groupRows = RawFileWriter.MaxGroupRows)
    {
        (_partition, _groupRows, _type) = (partition, groupRows, schema.FullName);
        var columns = new TypedColumns(_bytes);
        _offset = columns.Own<long>("offset", TypedValues.Int64);
        _partitions = columns.Own<int>("partition", TypedValues.Int32);
        _aggregateId = columns.Own<ByteArray>("aggregate_id", TypedValues.Utf8Text);
        _version = columns.Own<long>("version", TypedValues.Int64);
        _time = columns.Own<long>("time", TypedValues.Micros);
        _commandId = columns.Own<ByteArray>("command_id", TypedValues.Utf8Text);
        _correlationId = columns.Own<ByteArray>("correlation_id", TypedValues.Utf8Text, isOptional: true);
        _causationId = columns.Own<ByteArray>("causation_id", TypedValues.Utf8Text);
        TypedLeaf[] own = [.. columns.Leaves];
        _fields = columns.Fields(schema, OwnColumns);
        _leaves = columns.Leaves;
        using var root = new GroupNode("schema", Repetition.Required,
        [
            .. own.Select(c => c.Schema(c == _correlationId ? Repetition.Optional : Repetition.Required)),
            .. _fields.Select(f => f.Schema(Repetition.Required)),
        ]);
        _output = new AbandonableStream(output);
        _stream = new ManagedOutputStream(_output, leaveOpen: true);
        _properties = Properties(columns);
        _file = new ParquetFileWriter(_stream, root, _properties, new Dictionary<string, string>
        {
            [RawFileFormat.TopicKey] = topic,
            [RawFileFormat.PartitionKey] = partition.ToString(CultureInfo.InvariantCulture),
            ["kes.event_type"] = schema.FullName,
        });
    }

    /// <summary>
    /// The names of the columns that every table has, and of those that the names of its folders give it; they come first, and no field has
    /// one.
    /// </summary>
    public static IReadOnlyCollection<string> OwnColumns { get; } =
    [
        "offset", "partition", "aggregate_id", "version", "time", "command_id", "correlation_id", "causation_id", "event_type", "date",
    ];

    /// <summary>Adds an event, which is behind all before it.</summary>
    /// <param name="record">The record; nothing of it is kept.</param>
    /// <param name="head">What its key and headers say of it.</param>
    /// <param name="error">What is wrong with its value; the file is as it was before the call.</param>
    /// <returns>False: its value is not one of the schema.</returns>
    /// <exception cref="ArgumentException">It is not behind the one before.</exception>
    public bool TryAppend(ConsumeResult<byte[], byte[]> record, in EventHead head, [NotNullWhen(false)] out string? error)
    {
        ObjectDisposedException.ThrowIf(_isComplete, this);
        long offset = record.Offset.Value;
        if (offset <= _last)
            throw new ArgumentException($"The record {record.Topic} {record.Partition.Value}@{offset} is not behind {_last}.",
                nameof(record));
        (int, int, int, long) mark = _bytes.Mark();
        foreach (TypedLeaf leaf in _leaves)
            leaf.BeginRow();
        try
        {
            Read(record.Message.Value);
        }
        catch (AvroDecodeException wrong)
        {
            foreach (TypedLeaf leaf in _leaves)
                leaf.TakeBackRow();
            _bytes.TakeBack(mark);
            error = $"The value of {record.Topic} {record.Partition.Value}@{offset} is not a {_type}: {wrong.Message}";
            return false;
        }

        error = null;
        Describe(offset, head);
        if (_keys.Count >= _groupRows || _bytes.Count >= RawFileWriter.MaxGroupBytes || _leaves.Sum(l => (long)l.Levels) >= MaxGroupLevels)
            WriteGroup();
        return true;
    }

    /// <summary>Ends the file; without it there is none.</summary>
    public RawFileSummary Complete()
    {
        ObjectDisposedException.ThrowIf(_isComplete, this);
        if (_keys.Count > 0)
            WriteGroup();
        _file.Close();
        _output.Flush();
        _isComplete = true;
        return new RawFileSummary(_total, _first, _first is null ? null : _last, RawFileSummary.TimeOf(_firstTime),
            RawFileSummary.TimeOf(_lastTime));
    }

    /// <summary>Ends writing; a file that is not complete stays without its end, and is not one.</summary>
    public void Dispose()
    {
        _output.IsAbandoned = true;
        _file.Dispose();
        _properties.Dispose();
        _stream.Dispose();
        _output.Dispose();
    }

    private static WriterProperties Properties(TypedColumns columns)
    {
        using var builder = new WriterPropertiesBuilder();
        builder.Compression(Compression.Zstd).CompressionLevel(CompressionLevel).CreatedBy("KafkaEventSourcing").EnablePageChecksum()
            .EnableWritePageIndex();
        foreach (string path in columns.WithoutStatistics)
            builder.DisableStatistics(path);
        return builder.Build();
    }

    private void Read(byte[]? value)
    {
        if (value is null)
            throw new AvroDecodeException(0, "There is no value.");
        int start = WireFormat.TryReadSchemaId(value, out _) ? WireFormat.HeaderLength
            : WireFormat.TryReadSchemaGuid(value, out _) ? WireFormat.GuidHeaderLength
            : throw new AvroDecodeException(0, "It does not begin with the id of a schema.");
        var reader = new AvroReader(value.AsSpan(start));
        reader.Enter();
        foreach (TypedNode field in _fields)
            field.Append(ref reader, 0, 0);
        if (reader.Remaining > 0)
            throw new AvroDecodeException(reader.Position, $"{reader.Remaining} bytes follow the value.");
    }

    private void Describe(long offset, in EventHead head)
    {
        long time = AvroTime.ToMicros(head.Time);
        ByteArray aggregate = _bytes.Add(head.AggregateId.Value);
        ByteArray command = _bytes.Add(head.CommandId.Value);
        _offset.Append(offset);
        _partitions.Append(_partition);
        _aggregateId.Append(aggregate);
        _version.Append(head.Version);
        _time.Append(time);
        _commandId.Append(command);
        _causationId.Append(command);
        if (head.CorrelationId is { } correlation)
            _correlationId.Append(correlation == head.CommandId.Value ? command : _bytes.Add(correlation), definition: 1);
        else
            _correlationId.AppendMissing(0, 0);
        _keys.Add(new RowSortKey(RowSortKey.OrderOf(PinnedBytes.Span(aggregate)), aggregate, _keys.Count));
        _first ??= offset;
        _last = offset;
        _firstTime = Math.Min(_firstTime ?? time, time);
        _lastTime = Math.Max(_lastTime ?? time, time);
    }

    private void WriteGroup()
    {
        RowSortKey[] keys = [.. _keys];
        int[] order = [.. Enumerable.Range(0, keys.Length)];
        Array.Sort(keys, order);
        using RowGroupWriter group = _file.AppendRowGroup();
        foreach (TypedLeaf leaf in _leaves)
        {
            leaf.Write(group, order);
            leaf.Clear();
        }

        group.Close();
        _total += keys.Length;
        _keys.Clear();
        _bytes.Clear();
    }
}
