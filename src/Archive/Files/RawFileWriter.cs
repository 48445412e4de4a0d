using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using ParquetSharp;
using ParquetSharp.IO;
using ParquetSharp.Schema;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// Writes the records of a range of a partition, bit by bit as they are, to a Parquet file (<see cref="RawFileFormat"/>). Holds a row group
/// in memory at a time. Not thread-safe.
/// </summary>
internal sealed class RawFileWriter : IDisposable
{
    /// <summary>How many records a row group has at most.</summary>
    public const int MaxGroupRows = 131_072;

    /// <summary>How many bytes of keys, values and headers a row group has, by which it ends.</summary>
    public const int MaxGroupBytes = 64 * 1024 * 1024;

    private const int MaxRemembered = 1024;

    private readonly AbandonableStream _output;
    private readonly ManagedOutputStream _stream;
    private readonly WriterProperties _properties;
    private readonly ParquetFileWriter _file;
    private readonly PinnedBytes _bytes = new();
    private readonly PinnedBytes _names = new();
    private readonly Dictionary<string, ByteArray> _remembered = new(StringComparer.Ordinal);
    private readonly int _groupRows;
    private readonly RawRowColumns _columns = new();
    private RawRow[] _rows = new RawRow[1024];
    private int _count;
    private long _total;
    private long? _first;
    private long _last = -1;
    private long? _firstTime;
    private long? _lastTime;
    private bool _isComplete;

    /// <summary>Begins a file.</summary>
    /// <param name="output">Where the file goes; it stays open.</param>
    /// <param name="topic">The topic of the records.</param>
    /// <param name="partition">Their partition.</param>
    /// <param name="groupRows">How many records a row group has at most.</param>
    public RawFileWriter(Stream output, string topic, int partition, int groupRows = MaxGroupRows)
    {
        _output = new AbandonableStream(output);
        _groupRows = groupRows;
        _stream = new ManagedOutputStream(_output, leaveOpen: true);
        _properties = RawFileFormat.Properties();
        using GroupNode schema = RawFileFormat.Schema();
        _file = new ParquetFileWriter(_stream, schema, _properties, RawFileFormat.Metadata(topic, partition));
    }

    /// <summary>Adds a record, which is behind all before it.</summary>
    /// <param name="record">The record; nothing of it is kept.</param>
    /// <param name="head">What its key and headers say of the event; null: it is not an event.</param>
    /// <param name="eventType">The full name of the Avro type of its value; null: not known.</param>
    /// <exception cref="ArgumentException">It is not behind the one before.</exception>
    public void Append(ConsumeResult<byte[], byte[]> record, EventHead? head, string? eventType)
    {
        ObjectDisposedException.ThrowIf(_isComplete, this);
        long offset = record.Offset.Value;
        if (offset <= _last)
            throw new ArgumentException($"The record {record.Topic} {record.Partition.Value}@{offset} is not behind {_last}.",
                nameof(record));
        if (_count == _rows.Length)
            Array.Resize(ref _rows, _count * 2);
        ref RawRow row = ref _rows[_count];
        Message<byte[], byte[]> message = record.Message;
        row = new RawRow
        {
            Offset = offset,
            Timestamp = message.Timestamp.UnixTimestampMs,
            TimestampType = (int)message.Timestamp.Type,
            KeyOrder = RowSortKey.OrderOf(message.Key),
            Key = Keep(message.Key),
            Value = Keep(message.Value),
            SchemaId = WireFormat.TryReadSchemaId(message.Value, out int schemaId) ? schemaId : null,
            EventType = eventType is null ? null : Remember(eventType),
            FirstHeader = _columns.Headers,
            Headers = message.Headers?.Count ?? 0,
        };
        if (head is { } told)
            Describe(ref row, told);
        for (int i = 0; i < row.Headers; i++)
        {
            IHeader header = message.Headers![i];
            byte[]? value = header.GetValueBytes();
            SameAs same = row.IsEvent && value is not null ? Find(header.Key, value, row) : SameAs.None;
            _columns.AddHeader(Remember(header.Key), same == SameAs.None ? Keep(value) : null, same);
        }

        _count++;
        _first ??= offset;
        _last = offset;
        if (_count >= _groupRows || _bytes.Count >= MaxGroupBytes)
            WriteGroup();
    }

    /// <summary>Ends the file; without it there is none.</summary>
    public RawFileSummary Complete()
    {
        ObjectDisposedException.ThrowIf(_isComplete, this);
        if (_count > 0)
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

    private void Describe(ref RawRow row, in EventHead head)
    {
        row.IsEvent = true;
        row.Version = head.Version;
        row.Time = AvroTime.ToMicros(head.Time);
        row.CommandId = _bytes.Add(head.CommandId.Value);
        row.CorrelationId = head.CorrelationId is not { } correlation ? null
            : correlation == head.CommandId.Value ? row.CommandId
            : _bytes.Add(correlation);
        _firstTime = Math.Min(_firstTime ?? row.Time, row.Time);
        _lastTime = Math.Max(_lastTime ?? row.Time, row.Time);
    }

    // By the name, what it would be the copy of; by the value, whether it is one.
    private static SameAs Find(string name, byte[] value, in RawRow row)
    {
        Span<byte> text = stackalloc byte[CloudEventHeaders.MaxTimeLength];
        return name switch
        {
            CloudEventHeaders.CausationId or CloudEventHeaders.CorrelationId when IsSame(value, row.CommandId) => SameAs.CommandId,
            CloudEventHeaders.CorrelationId when IsSame(value, row.CorrelationId) => SameAs.CorrelationId,
            CloudEventHeaders.Subject when IsSame(value, row.Key) => SameAs.Key,
            CloudEventHeaders.Type when IsSame(value, row.EventType) => SameAs.EventType,
            CloudEventHeaders.Time when value.AsSpan().SequenceEqual(
                text[..CloudEventHeaders.Encode(AvroTime.FromMicros(row.Time), text)]) =>
                SameAs.Time,
            CloudEventHeaders.Sequence when row.Version.TryFormat(text, out int length, default, CultureInfo.InvariantCulture)
                && value.AsSpan().SequenceEqual(text[..length]) => SameAs.Version,
            _ => SameAs.None,
        };
    }

    private static bool IsSame(byte[] value, ByteArray? column) =>
        column is { } its && value.AsSpan().SequenceEqual(PinnedBytes.Span(its));

    private ByteArray? Keep(byte[]? bytes) => bytes is null ? null : _bytes.Add(bytes);

    // Names are few and come again and again.
    private ByteArray Remember(string name)
    {
        if (_remembered.TryGetValue(name, out ByteArray known))
            return known;
        if (_remembered.Count >= MaxRemembered)
            return _bytes.Add(name);
        ByteArray added = _names.Add(name);
        _remembered.Add(name, added);
        return added;
    }

    private void WriteGroup()
    {
        Span<RawRow> rows = _rows.AsSpan(0, _count);
        using RowGroupWriter group = _file.AppendRowGroup();
        _columns.Write(group, rows);
        group.Close();
        _total += _count;
        _count = 0;
        _bytes.Clear();
        _columns.Clear();
    }
}
