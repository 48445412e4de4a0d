using System.Buffers.Binary;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using ZstdSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// Finds the records of one key in a raw file without reading the rest: rows of a row group are sorted by key, so that the page index names
/// the one or two pages of each column that have them. Not thread-safe.
/// </summary>
internal sealed class RawAggregateReader : IDisposable
{
    private static readonly PageShape Long = new(sizeof(long), 0, 0);
    private static readonly PageShape OptionalLong = new(sizeof(long), 1, 0);
    private static readonly PageShape Number = new(sizeof(int), 0, 0);
    private static readonly PageShape Bytes = new(0, 1, 0);
    private static readonly PageShape HeaderName = new(0, 1, 1);
    private static readonly PageShape HeaderValue = new(0, 2, 1);
    private static readonly PageShape HeaderSameAs = new(sizeof(int), 2, 1);

    private readonly PageDirectory _directory;
    private readonly Decompressor _zstd = new();

    /// <summary>Reads where the pages of a file are.</summary>
    /// <exception cref="InvalidDataException">It is not a Parquet file, or is damaged.</exception>
    public RawAggregateReader(Stream file) => _directory = Guard(() => PageDirectory.Read(file));

    /// <summary>How many row groups there are.</summary>
    public int Groups => _directory.Groups.Count;

    /// <summary>The records of a key in a row group, by offset.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public IReadOnlyList<ConsumeResult<byte[], byte[]>> Read(int group, TopicPartition partition, byte[] key) =>
        Guard(() => Read(_directory.Groups[group], partition, key));

    /// <inheritdoc/>
    public void Dispose() => _zstd.Dispose();

    private List<ConsumeResult<byte[], byte[]>> Read(PagedGroup group, TopicPartition partition, byte[] key)
    {
        (int first, int end) = Find(group, key);
        if (first == end)
            return [];
        List<byte[]?> offsets = Read(group, RawFileFormat.Offset, Long, first, end);
        List<byte[]?> timestamps = Read(group, RawFileFormat.Timestamp, OptionalLong, first, end);
        List<byte[]?> bits = Read(group, RawFileFormat.TimestampBits, OptionalLong, first, end);
        List<byte[]?> types = Read(group, RawFileFormat.TimestampType, Number, first, end);
        List<byte[]?> values = Read(group, RawFileFormat.Value, Bytes, first, end);
        List<List<byte[]?>> names = ReadHeaders(group, RawFileFormat.HeaderName, HeaderName, first, end);
        List<List<byte[]?>> headerValues = ReadHeaders(group, RawFileFormat.HeaderValue, HeaderValue, first, end);
        List<List<byte[]?>> sames = ReadHeaders(group, RawFileFormat.HeaderSameAs, HeaderSameAs, first, end);
        List<byte[]?> commands = Read(group, RawFileFormat.CommandId, Bytes, first, end);
        List<byte[]?> correlations = Read(group, RawFileFormat.CorrelationId, Bytes, first, end);
        List<byte[]?> eventTypes = Read(group, RawFileFormat.EventType, Bytes, first, end);
        List<byte[]?> times = Read(group, RawFileFormat.Time, OptionalLong, first, end);
        List<byte[]?> versions = Read(group, RawFileFormat.Version, OptionalLong, first, end);
        var records = new List<ConsumeResult<byte[], byte[]>>(end - first);
        for (int i = 0; i < end - first; i++)
        {
            var headers = new Headers();
            for (int header = 0; header < names[i].Count; header++)
            {
                byte[]? value = sames[i][header] is not { } same ? headerValues[i][header] : (SameAs)BitConverter.ToInt32(same) switch
                {
                    SameAs.CommandId => commands[i],
                    SameAs.CorrelationId => correlations[i],
                    SameAs.Key => [.. key],
                    SameAs.EventType => eventTypes[i],
                    SameAs.Time => CloudEventHeaders.Encode(AvroTime.FromMicros(BinaryPrimitives.ReadInt64LittleEndian(times[i]))),
                    SameAs.Version => CloudEventHeaders.Encode(BinaryPrimitives.ReadInt64LittleEndian(versions[i])),
                    var other => throw new InvalidDataException($"A header is the same as a column {(int)other}, which there is not."),
                };
                headers.Add(Encoding.UTF8.GetString(names[i][header]!), value!);
            }

            records.Add(new ConsumeResult<byte[], byte[]>
            {
                TopicPartitionOffset = new TopicPartitionOffset(partition, BinaryPrimitives.ReadInt64LittleEndian(offsets[i])),
                Message = new Message<byte[], byte[]>
                {
                    Key = [.. key],
                    Value = values[i]!,
                    Headers = headers,
                    Timestamp = new Timestamp(BinaryPrimitives.ReadInt64LittleEndian(timestamps[i] ?? bits[i]),
                        (TimestampType)BinaryPrimitives.ReadInt32LittleEndian(types[i])),
                },
            });
        }

        return records;
    }

    // The rows that have the key: they are beside one another, also over the end of a page.
    private (int First, int End) Find(PagedGroup group, byte[] key)
    {
        PagedColumn column = group.Columns[RawFileFormat.Key];
        PageLocation[] pages = _directory.PagesOf(column);
        (int first, int end) = (-1, -1);
        foreach (int candidate in _directory.Candidates(column, pages, key))
        {
            Page page = Decode(pages[candidate], Bytes, null);
            int value = 0;
            for (int row = 0; row < page.Definitions.Length; row++)
            {
                if (page.Definitions[row] == 0 || !page[value++].SequenceEqual(key))
                    continue;
                end = pages[candidate].FirstRow + row + 1;
                first = first < 0 ? end - 1 : first;
            }
        }

        return (Math.Max(first, 0), Math.Max(end, 0));
    }

    private List<byte[]?> Read(PagedGroup group, int index, PageShape shape, int first, int end)
    {
        var read = new List<byte[]?>(end - first);
        foreach ((Page page, int firstRow) in Pages(group, index, shape, first, end))
        {
            int value = 0;
            int rows = shape.MaxDefinition == 0 ? page.Values : page.Definitions.Length;
            for (int row = firstRow; row < firstRow + rows && row < end; row++)
            {
                bool isThere = shape.MaxDefinition == 0 || page.Definitions[row - firstRow] == shape.MaxDefinition;
                if (row >= first)
                    read.Add(isThere ? page[value].ToArray() : null);
                value += isThere ? 1 : 0;
            }
        }

        return read.Count == end - first ? read : throw new InvalidDataException("A column has fewer rows than its row group.");
    }

    private List<List<byte[]?>> ReadHeaders(PagedGroup group, int index, PageShape shape, int first, int end)
    {
        var read = new List<List<byte[]?>>(end - first);
        foreach ((Page page, int firstRow) in Pages(group, index, shape, first, end))
        {
            int value = 0;
            int row = firstRow - 1;
            for (int level = 0; level < page.Definitions.Length; level++)
            {
                row += page.Repetitions[level] == 0 ? 1 : 0;
                bool isThere = page.Definitions[level] == shape.MaxDefinition;
                if (row >= first && row < end)
                {
                    if (page.Repetitions[level] == 0)
                        read.Add([]);
                    if (page.Definitions[level] != RawFileFormat.NoHeader)
                        read[^1].Add(isThere ? page[value].ToArray() : null);
                }

                value += isThere ? 1 : 0;
            }
        }

        return read.Count == end - first ? read : throw new InvalidDataException("A column has fewer rows than its row group.");
    }

    private IEnumerable<(Page Page, int FirstRow)> Pages(PagedGroup group, int index, PageShape shape, int first, int end)
    {
        PagedColumn column = group.Columns[index];
        PageLocation[] pages = _directory.PagesOf(column);
        Page? dictionary = null;
        for (int i = 0; i < pages.Length && pages[i].FirstRow < end; i++)
        {
            if (i + 1 < pages.Length && pages[i + 1].FirstRow <= first)
                continue;
            if (dictionary is null && column.Dictionary > 0)
                dictionary = Decode(new PageLocation(column.Dictionary, (int)(pages[0].Offset - column.Dictionary), 0), shape, null);
            yield return (Decode(pages[i], shape, dictionary), pages[i].FirstRow);
        }
    }

    private Page Decode(PageLocation place, PageShape shape, Page? dictionary) =>
        Page.Decode(_directory.ReadAt(place.Offset, place.Bytes), shape, dictionary, _zstd);

    private static T Guard<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception damaged) when (damaged is ArgumentException or IndexOutOfRangeException or OverflowException
            or EndOfStreamException
            or ZstdException or AvroDecodeException)
        {
            throw new InvalidDataException($"The file is damaged: {damaged.Message}", damaged);
        }
    }
}
