using System.Globalization;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using ParquetSharp;

namespace KafkaEventSourcing.Archive;

/// <summary>Reads what <see cref="RawFileWriter"/> wrote. Holds a row group in memory at a time. Not thread-safe.</summary>
internal sealed class RawFileReader : IDisposable
{
    private readonly Stream _input;
    private readonly ParquetFileReader _file;
    private readonly ReaderProperties _properties;

    /// <summary>Opens a file.</summary>
    /// <param name="input">The file, which can be sought; it stays open.</param>
    /// <exception cref="InvalidDataException">It is not a raw file of an archive, or is damaged.</exception>
    public RawFileReader(Stream input)
    {
        _input = input;
        _properties = ReaderProperties.GetDefaultReaderProperties();
        _properties.EnablePageChecksumVerification();
        try
        {
            _file = new ParquetFileReader(input, _properties, leaveOpen: true);
        }
        catch (ParquetException unreadable)
        {
            _properties.Dispose();
            throw new InvalidDataException($"The file is not a Parquet file, or is damaged: {unreadable.Message}", unreadable);
        }

        FileMetaData metadata = _file.FileMetaData; // the reader's, which disposes of it
        IReadOnlyDictionary<string, string> told = metadata.KeyValueMetadata;
        Rows = metadata.NumRows;
        Topic = told.GetValueOrDefault(RawFileFormat.TopicKey, "");
        string format = told.GetValueOrDefault(RawFileFormat.FormatKey, "");
        if (format != RawFileFormat.Current
            || !int.TryParse(told.GetValueOrDefault(RawFileFormat.PartitionKey), CultureInfo.InvariantCulture, out int partition))
        {
            Dispose();
            throw new InvalidDataException(
                $"The Parquet file is not a raw file of an archive that this program reads: its format is '{format}', "
                    + $"and '{RawFileFormat.Current}' is read.");
        }

        Partition = partition;
    }

    /// <summary>How many records it has.</summary>
    public long Rows { get; }

    /// <summary>The topic that its records are of.</summary>
    public string Topic { get; }

    /// <summary>The partition that its records are of.</summary>
    public int Partition { get; }

    /// <summary>Its records from <paramref name="fromOffset"/> on, by offset, as they were.</summary>
    /// <param name="partition">What the records are said to be of.</param>
    /// <param name="fromOffset">The first offset that is wanted.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition partition, long fromOffset, CancellationToken cancellationToken)
    {
        var rows = new RawRowGroup();
        int groups = _file.FileMetaData.NumRowGroups;
        for (int i = 0; i < groups; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!TryRead(i, fromOffset, rows))
                continue;
            foreach (ConsumeResult<byte[], byte[]> record in rows.Records(partition, fromOffset))
                yield return record;
        }
    }

    /// <summary>The records of one aggregate whose version is at least <paramref name="fromVersion"/>, by offset.</summary>
    /// <param name="partition">What the records are said to be of.</param>
    /// <param name="key">The key of the records.</param>
    /// <param name="fromVersion">The first version that is wanted; records that are not events come with every version.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public IEnumerable<ConsumeResult<byte[], byte[]>> ReadAggregate(TopicPartition partition, byte[] key, long fromVersion,
        CancellationToken cancellationToken)
    {
        using var pages = new RawAggregateReader(_input);
        for (int group = 0; group < pages.Groups; group++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (ConsumeResult<byte[], byte[]> record in pages.Read(group, partition, key))
            {
                if (!CloudEventHeaders.TryDecodeNumber(CloudEventHeaders.Find(record.Message.Headers, CloudEventHeaders.Sequence),
                    out long version) || version >= fromVersion)
                    yield return record;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _file.Dispose();
        _properties.Dispose();
    }

    private bool TryRead(int index, long fromOffset, RawRowGroup rows)
    {
        try
        {
            using RowGroupReader group = _file.RowGroup(index);
            using ColumnChunkMetaData offsets = group.MetaData.GetColumnChunkMetaData(RawFileFormat.Offset);
            using Statistics? statistics = offsets.Statistics;
            if (statistics is Statistics<long> { HasMinMax: true } told && told.Max < fromOffset)
                return false;
            rows.Read(group);
            return true;
        }
        catch (ParquetException damaged)
        {
            throw new InvalidDataException($"The row group {index} cannot be read, the file is damaged: {damaged.Message}", damaged);
        }
    }
}
