using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Avro.Schemas;
using Microsoft.Win32.SafeHandles;

namespace KafkaEventSourcing.EventLog;

/// <summary>The records of a file that <see cref="RecordExport"/> has written: it is whole and as it was written, or refused.</summary>
internal sealed class ExportedRecords : IRecordSource
{
    private const int FirstRead = 64 * 1024;
    private const int HashedAtOnce = 1 << 20;

    private readonly string _path;
    private readonly SafeFileHandle _file;
    private readonly AvroRead _read;
    private readonly Dictionary<TopicPartition, List<Block>> _blocks = [];
    private readonly Dictionary<TopicPartition, ExportedPartition> _partitions = [];

    private ExportedRecords(string path, SafeFileHandle file, ExportContents contents, AvroRead read) =>
        (_path, _file, Contents, _read, Schemas) = (path, file, contents, read, new ExportedSchemas(contents.Schemas));

    /// <summary>What the file says of itself.</summary>
    public ExportContents Contents { get; }

    /// <inheritdoc/>
    public IWriterSchemas Schemas { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Topics => [.. Contents.Topics.Select(t => t.Name)];

    /// <summary>Opens a file and looks at every byte of it.</summary>
    /// <exception cref="InvalidInputException">It is not such a file, or is cut or damaged; the message says what is missing.</exception>
    public static ExportedRecords Open(string path)
    {
        SafeFileHandle file;
        try
        {
            // Whoever opens a pipe waits for its writer, and cannot be stopped.
            if (new FileInfo(path) is { Exists: true, Length: 0 })
                throw Refused($"{path} is empty, or is a device or a pipe and not a file: 'kes topics export' did not write it.");
            file = File.OpenHandle(path, options: FileOptions.RandomAccess);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw Refused($"The file {path} cannot be read: {unreadable.Message}", unreadable);
        }

        try
        {
            return Open(path, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether a file that is there begins as one that was exported; devices and pipes do not, and are not opened.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be read.</exception>
    public static bool IsAvroFile(string path)
    {
        if (new FileInfo(path).Length == 0)
            return false;
        using SafeFileHandle file = File.OpenHandle(path);
        return AvroFileHeader.IsBegin(ReadAt(file, 0, AvroFileHeader.MagicLength));
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> PartitionsOf(string topic) =>
        Contents.Topics.FirstOrDefault(t => t.Name == topic) is { } exported
            ? [.. exported.Partitions.Select(p => p.Partition)]
            : throw Refused($"{_path} does not have the topic {topic}; it has {string.Join(", ", Topics)}. "
                + "'kes topics export' writes all topics of a family when the family is named, such as bank.account.");

    /// <inheritdoc/>
    public WatermarkOffsets BoundsOf(TopicPartition partition, CancellationToken cancellationToken) =>
        _partitions.TryGetValue(partition, out ExportedPartition? found)
            ? new WatermarkOffsets(found.First, found.End)
            : new WatermarkOffsets(0, 0);

    /// <inheritdoc/>
    public IReadOnlyDictionary<int, long> PositionsOf(string group, string topic) =>
        Contents.Positions.FirstOrDefault(p => p.Group == group && p.Topic == topic)?.Next ?? new Dictionary<int, long>();

    /// <inheritdoc/>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition partition, long fromOffset, CancellationToken cancellationToken)
    {
        if (!_blocks.TryGetValue(partition, out List<Block>? blocks))
            yield break;
        for (int block = FirstWith(blocks, fromOffset); block < blocks.Count; block++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (ConsumeResult<byte[], byte[]> record in Decode(blocks[block], int.MaxValue))
            {
                if (record.Offset.Value >= fromOffset)
                    yield return record;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private static ExportedRecords Open(string path, SafeFileHandle file)
    {
        AvroFileHeader header = ReadHeader(path, file)
            ?? throw Refused($"{path} is not an Avro file: 'kes topics export' did not write it.");
        if (!header.Metadata.TryGetValue(ExportContents.Key, out byte[]? told)
            || !header.Metadata.TryGetValue(AvroFileHeader.SchemaKey, out byte[]? schema))
            throw Refused($"{path} is an Avro file and was not written by 'kes topics export': its header does not have "
                + $"{ExportContents.Key}, which says what is in it. A file that another tool has written again has lost that.");
        if (!header.Metadata.TryGetValue(ExportWriter.Sha256Key, out byte[]? hash)
            || Encoding.ASCII.GetString(hash) != ExportWriter.HashOf(schema, told))
            throw Damaged(path, "its header is not the one that was written");
        ExportContents contents;
        AvroRead read;
        try
        {
            contents = ExportContents.Read(told);
            read = AvroRecordType.Of<ExportedRecord>().ReaderOf(SchemaParser.Parse(Encoding.UTF8.GetString(schema)));
        }
        catch (Exception other) when (other is JsonException or SchemaParseException or SchemaMismatchException)
        {
            throw Refused($"{path} was written by another version of 'kes', which this one cannot read: {other.Message}", other);
        }

        if (contents.Format != ExportContents.CurrentFormat)
            throw Refused(string.Create(CultureInfo.InvariantCulture,
                $"{path} has the format {contents.Format}; this program reads {ExportContents.CurrentFormat}. Take a newer one."));
        var exported = new ExportedRecords(path, file, contents, read);
        exported.Find(header);
        exported.Compare(header);
        return exported;
    }

    // A header has the schemas' texts, and may be long: more and more of the file is read until it is whole.
    private static AvroFileHeader? ReadHeader(string path, SafeFileHandle file)
    {
        long length = RandomAccess.GetLength(file);
        for (long size = FirstRead; ; size *= 4)
        {
            byte[] beginning = ReadAt(file, 0, (int)Math.Min(Math.Min(size, length), Array.MaxLength));
            try
            {
                return AvroFileHeader.Read(beginning);
            }
            catch (AvroDecodeException cut) when (size >= length || size >= Array.MaxLength)
            {
                throw Refused($"{path} is cut or damaged: its header, which says what is in it, is not whole, and all records are missing "
                    + $"({cut.Message}). Copy or export it again.", cut);
            }
            catch (AvroDecodeException)
            {
                // the rest of it follows
            }
        }
    }

    // Blocks are in the order of the partitions, and none has records of two.
    private void Find(AvroFileHeader header)
    {
        long length = RandomAccess.GetLength(_file);
        long at = header.Length;
        long end = header.Length + Contents.Bytes;
        long found = 0;
        foreach (ExportedTopic topic in Contents.Topics)
        {
            foreach (ExportedPartition partition in topic.Partitions)
            {
                var place = new TopicPartition(topic.Name, partition.Partition);
                var blocks = new List<Block>();
                long records = 0;
                while (records < partition.Records)
                {
                    if (TryReadBlock(at, Math.Min(length, end), header.Sync) is not { } block)
                    {
                        throw length < end
                            ? Refused(string.Create(CultureInfo.InvariantCulture,
                                $"{_path} is cut: {end - length:N0} of its {end:N0} bytes are missing. Of its {Contents.Records():N0} "
                                    + $"records {Contents.Records() - found - records:N0} are missing, from record {records + 1:N0} of "
                                    + $"{topic.Name}, partition {partition.Partition}, on. Copy or export it again."))
                            : Damaged(_path, string.Create(CultureInfo.InvariantCulture,
                                $"at byte {at} there is no block of {topic.Name}, partition {partition.Partition}"));
                    }

                    blocks.Add(block);
                    records += block.Records;
                    at = block.Position + block.Bytes + AvroFileHeader.SyncLength;
                }

                if (records > partition.Records)
                    throw Damaged(_path, string.Create(CultureInfo.InvariantCulture,
                        $"{topic.Name}, partition {partition.Partition}, has {records:N0} records in place of {partition.Records:N0}"));
                found += records;
                _blocks.Add(place, blocks);
                _partitions.Add(place, partition);
            }
        }

        if (at != end || length != end)
            throw Damaged(_path, string.Create(CultureInfo.InvariantCulture, $"it has {length:N0} bytes in place of {end:N0}"));
    }

    private Block? TryReadBlock(long at, long end, byte[] sync)
    {
        byte[] beginning = ReadAt(_file, at, (int)Math.Clamp(end - at, 0, AvroFileHeader.MaxBlockHeader));
        var reader = new AvroReader(beginning);
        try
        {
            long records = reader.ReadLong();
            long bytes = reader.ReadLong();
            long position = at + reader.Position;
            if (records < 1 || bytes < 1 || bytes > Array.MaxLength || bytes > end - position - AvroFileHeader.SyncLength)
                return null;
            return ReadAt(_file, position + bytes, AvroFileHeader.SyncLength).AsSpan().SequenceEqual(sync)
                ? new Block(position, (int)bytes, records)
                : null;
        }
        catch (AvroDecodeException)
        {
            return null;
        }
    }

    // The format has no sums of its own: a changed byte may be read as another value.
    private void Compare(AvroFileHeader header)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] bytes = new byte[HashedAtOnce];
        long at = header.Length;
        for (int read; (read = RandomAccess.Read(_file, bytes, at)) > 0; at += read)
            hash.AppendData(bytes, 0, read);
        string found = Convert.ToHexStringLower(hash.GetHashAndReset());
        if (found != Contents.Sha256)
            throw Damaged(_path, $"the SHA-256 of its records is {found} in place of {Contents.Sha256}");
    }

    // The last block that begins at the offset or before it.
    private int FirstWith(List<Block> blocks, long offset)
    {
        int first = 0;
        int last = blocks.Count - 1;
        while (first < last && offset > 0)
        {
            int middle = (first + last + 1) / 2;
            if (Decode(blocks[middle], 1).First().Offset.Value <= offset)
                first = middle;
            else
                last = middle - 1;
        }

        return first;
    }

    private IEnumerable<ConsumeResult<byte[], byte[]>> Decode(Block block, int most)
    {
        using var deflate = new DeflateStream(new MemoryStream(ReadAt(_file, block.Position, block.Bytes)), CompressionMode.Decompress);
        var plain = new MemoryStream();
        deflate.CopyTo(plain);
        int at = 0;
        for (long record = 0; record < Math.Min(block.Records, most); record++)
            yield return Next(plain.GetBuffer().AsSpan(0, (int)plain.Length), ref at);
    }

    private ConsumeResult<byte[], byte[]> Next(ReadOnlySpan<byte> block, ref int at)
    {
        var reader = new AvroReader(block[at..]);
        var record = (ExportedRecord)_read(ref reader);
        at += reader.Position;
        var headers = new Headers();
        foreach (ExportedHeader header in record.Headers)
            headers.Add(header.Name, header.Value);
        var type = (TimestampType)(int)record.TimestampType;
        return new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(record.Topic, record.Partition, record.Offset),
            Message = new Message<byte[], byte[]>
            {
                Key = record.Key!,
                Value = record.Value!,
                Headers = headers,
                Timestamp = record.Timestamp is { } told ? new Timestamp(told.ToUnixTimeMilliseconds(), type) : Timestamp.Default,
            },
        };
    }

    private static byte[] ReadAt(SafeFileHandle file, long position, int count)
    {
        byte[] bytes = new byte[count];
        int all = 0;
        for (int read; all < count && (read = RandomAccess.Read(file, bytes.AsSpan(all), position + all)) > 0; all += read)
        {
        }

        return all == count ? bytes : bytes[..all];
    }

    private static InvalidInputException Damaged(string path, string what) =>
        Refused($"{path} is damaged: {what}. Copy or export it again.");

    private static InvalidInputException Refused(string message, Exception? cause = null) =>
        cause is null ? new InvalidInputException("file", message) : new InvalidInputException("file", message, cause);

    private readonly record struct Block(long Position, int Bytes, long Records);
}
