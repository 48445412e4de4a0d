using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Writes records to an Avro object container file: partition after partition, none of which shares a block with another. The file has its
/// name when it is whole. Not thread-safe.
/// </summary>
/// <remarks>
/// The header says what is in the file, which is known when all of it is written, and others' writers of such files want it first:
/// the blocks are in a file beside it until then.
/// </remarks>
internal sealed class ExportWriter : IDisposable
{
    /// <summary>The entry of the header that has the SHA-256 of the others.</summary>
    public const string Sha256Key = "kes.sha256";

    private const int BlockBytes = 64 * 1024;
    private const string Suffix = ".partial";

    private readonly string _path;
    private readonly bool _overwrite;
    private readonly string _whole;
    private readonly FileStream _blocks;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _sync = RandomNumberGenerator.GetBytes(AvroFileHeader.SyncLength);
    private readonly PooledBuffer _open = new();
    private readonly MemoryStream _compressed = new();
    private readonly PooledBuffer _head = new();
    private readonly List<(string Name, List<ExportedPartition> Partitions)> _topics = [];
    private int _inBlock;
    private long _inPartition;
    private long _bytes;

    /// <summary>Begins a file that will be at <paramref name="path"/>.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It must not be written.</exception>
    public ExportWriter(string path, bool overwrite)
    {
        (_path, _overwrite) = (Path.GetFullPath(path), overwrite);
        string own = $"{_path}.{Guid.CreateVersion7():N}";
        _whole = own + Suffix;
        _blocks = new FileStream(own + ".blocks" + Suffix, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            BufferSize = 1 << 20,
            Options = FileOptions.DeleteOnClose,
        });
    }

    /// <summary>Begins a topic.</summary>
    public void BeginTopic(string topic) => _topics.Add((topic, []));

    /// <summary>Begins a partition of the topic, of which all records follow.</summary>
    public void BeginPartition(int partition, WatermarkOffsets bounds)
    {
        _topics[^1].Partitions.Add(new ExportedPartition(partition, bounds.Low.Value, bounds.High.Value, 0));
        _inPartition = 0;
    }

    /// <summary>Writes a record of the partition.</summary>
    public void Append(ConsumeResult<byte[], byte[]> record)
    {
        var writer = new AvroWriter(_open);
        Exported(record).WriteTo(ref writer);
        writer.Flush();
        _inBlock++;
        _inPartition++;
        if (_open.WrittenCount >= BlockBytes)
            EndBlock();
    }

    /// <summary>Ends a partition.</summary>
    public void EndPartition()
    {
        EndBlock();
        List<ExportedPartition> partitions = _topics[^1].Partitions;
        partitions[^1] = partitions[^1] with { Records = _inPartition };
    }

    /// <summary>Writes the header and gives the file its name.</summary>
    /// <exception cref="IOException">The file cannot be written, or there is one of its name.</exception>
    public ExportContents Finish(
        DateTimeOffset exportedAt, IReadOnlyList<ExportedPositions> positions, IReadOnlyList<ExportedSchema> schemas)
    {
        var contents = new ExportContents
        {
            ExportedAt = exportedAt,
            Topics = [.. _topics.Select(t => new ExportedTopic(t.Name, t.Partitions))],
            Positions = positions,
            Schemas = schemas,
            Bytes = _bytes,
            Sha256 = Convert.ToHexStringLower(_hash.GetHashAndReset()),
        };
        byte[] schema = Encoding.UTF8.GetBytes(AvroRecordType.Of<ExportedRecord>().SchemaJson);
        byte[] told = contents.ToUtf8();
        _head.Clear();
        AvroFileHeader.Write(_head, new Dictionary<string, byte[]>
        {
            [AvroFileHeader.SchemaKey] = schema,
            [AvroFileHeader.CodecKey] = Encoding.ASCII.GetBytes(AvroFileHeader.Deflate),
            [ExportContents.Key] = told,
            [Sha256Key] = Encoding.ASCII.GetBytes(HashOf(schema, told)),
        }, _sync);
        using (var file = new FileStream(_whole, FileMode.CreateNew, FileAccess.Write))
        {
            file.Write(_head.WrittenSpan);
            _blocks.Position = 0;
            _blocks.CopyTo(file, 1 << 20);
            file.Flush(flushToDisk: true);
        }

        File.Move(_whole, _path, _overwrite);
        return contents;
    }

    /// <summary>The SHA-256 of what the header says.</summary>
    public static string HashOf(byte[] schema, byte[] contents) => Convert.ToHexStringLower(SHA256.HashData([.. schema, .. contents]));

    /// <inheritdoc/>
    public void Dispose()
    {
        _blocks.Dispose();
        _hash.Dispose();
        _compressed.Dispose();
        _open.Reset();
        _head.Reset();
        File.Delete(_whole); // of an export that did not come to its end
    }

    private static ExportedRecord Exported(ConsumeResult<byte[], byte[]> record)
    {
        Timestamp time = record.Message.Timestamp;
        return new ExportedRecord
        {
            Topic = record.Topic,
            Partition = record.Partition.Value,
            Offset = record.Offset.Value,
            Timestamp = time.Type != TimestampType.NotAvailable && IsTime(time.UnixTimestampMs)
                ? DateTimeOffset.FromUnixTimeMilliseconds(time.UnixTimestampMs)
                : null,
            TimestampType = (ExportedTimestampType)(int)time.Type,
            Key = record.Message.Key,
            Headers = [.. record.Message.Headers.Select(h => new ExportedHeader { Name = h.Key, Value = h.GetValueBytes() })],
            Value = record.Message.Value,
        };
    }

    // Kafka keeps whatever 64 bits a producer gave.
    private static bool IsTime(long milliseconds) => milliseconds >= DateTimeOffset.MinValue.ToUnixTimeMilliseconds()
        && milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();

    private void EndBlock()
    {
        if (_inBlock == 0)
            return;
        _compressed.SetLength(0);
        using (var deflate = new DeflateStream(_compressed, CompressionLevel.Optimal, leaveOpen: true))
            deflate.Write(_open.WrittenSpan);
        _head.Clear();
        var head = new AvroWriter(_head);
        head.WriteLong(_inBlock);
        head.WriteLong(_compressed.Length);
        head.Flush();
        Put(_head.WrittenSpan);
        Put(_compressed.GetBuffer().AsSpan(0, (int)_compressed.Length));
        Put(_sync);
        _open.Clear();
        _inBlock = 0;
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        _blocks.Write(bytes);
        _hash.AppendData(bytes);
        _bytes += bytes.Length;
    }
}
