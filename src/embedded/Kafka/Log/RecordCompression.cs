using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using K4os.Compression.LZ4;
using K4os.Compression.LZ4.Streams;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Snappier;
using ZstdSharp;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>The codecs of record batches, by their number in the attributes.</summary>
internal static class RecordCompression
{
    public const int None = 0;
    public const int Gzip = 1;
    public const int Snappy = 2;
    public const int Lz4 = 3;
    public const int Zstd = 4;
    private const int MaxPlainBytes = 512 * 1024 * 1024;
    private const int XerialBlock = 32 * 1024;

    private static readonly byte[] XerialMagic = [0x82, (byte)'S', (byte)'N', (byte)'A', (byte)'P', (byte)'P', (byte)'Y', 0];

    /// <summary>The records in plain.</summary>
    /// <exception cref="MalformedRequestException">The bytes are not of that codec.</exception>
    public static ReadOnlyMemory<byte> Decompress(int codec, ReadOnlyMemory<byte> data) => codec == None ? data : Open(codec, data);

    // Apart, so that the libraries of the codecs are loaded only when one is used.
    private static ReadOnlyMemory<byte> Open(int codec, ReadOnlyMemory<byte> data)
    {
        try
        {
            return codec switch
            {
                Gzip => Inflate(new GZipStream(new MemoryStream(data.ToArray()), CompressionMode.Decompress)),
                Snappy => Unsnappy(data),
                Lz4 => Inflate(LZ4Stream.Decode(new MemoryStream(data.ToArray()))),
                Zstd => Inflate(new DecompressionStream(new MemoryStream(data.ToArray()))),
                _ => throw new MalformedRequestException($"The compression codec {codec} is unknown."),
            };
        }
        catch (Exception corrupt) when (corrupt is InvalidDataException or EndOfStreamException or ZstdException or IOException or ArgumentException)
        {
            throw new MalformedRequestException($"The records are not of the compression codec {codec}: {corrupt.Message}");
        }
    }

    public static ReadOnlyMemory<byte> Compress(int codec, int level, ReadOnlyMemory<byte> plain)
    {
        if (codec == None)
            return plain;
        if (codec == Snappy)
            return ToXerial(plain.Span);
        var compressed = new MemoryStream();
        using (Stream encoder = codec switch
        {
            Gzip => new GZipStream(compressed, level < 1 ? CompressionLevel.Optimal : level < 4 ? CompressionLevel.Fastest : level > 8 ? CompressionLevel.SmallestSize : CompressionLevel.Optimal, leaveOpen: true),
            Lz4 => LZ4Stream.Encode(compressed, level > 9 ? (LZ4Level)Math.Min(level, 12) : LZ4Level.L00_FAST, leaveOpen: true),
            Zstd => new CompressionStream(compressed, level, leaveOpen: true),
            _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, "The compression codec is unknown."),
        })
            encoder.Write(plain.Span);
        return compressed.GetBuffer().AsMemory(0, (int)compressed.Length);
    }

    private static byte[] Inflate(Stream compressed)
    {
        using (compressed)
        {
            using var plain = new MemoryStream();
            byte[] buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
            try
            {
                for (int read; (read = compressed.Read(buffer)) > 0;)
                {
                    if (plain.Length + read > MaxPlainBytes)
                        throw new MalformedRequestException($"The records of a batch are larger than {MaxPlainBytes} bytes when decompressed.");
                    plain.Write(buffer, 0, read);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }

            return plain.ToArray();
        }
    }

    // Java's clients frame snappy in blocks (xerial): magic, two int32 versions, then length and block. librdkafka sends one raw block.
    private static ReadOnlyMemory<byte> Unsnappy(ReadOnlyMemory<byte> data)
    {
        if (!data.Span.StartsWith(XerialMagic))
            return Snappier.Snappy.DecompressToArray(data.Span);
        if (data.Length < XerialMagic.Length + 8)
            throw new MalformedRequestException("A snappy frame ends in its header.");
        var plain = new ArrayBufferWriter<byte>();
        for (ReadOnlyMemory<byte> rest = data[(XerialMagic.Length + 8)..]; rest.Length >= sizeof(int);)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(rest.Span);
            if (length < 0 || length > rest.Length - sizeof(int))
                throw new MalformedRequestException("A snappy block is longer than its batch.");
            plain.Write(Snappier.Snappy.DecompressToArray(rest.Span.Slice(sizeof(int), length)));
            rest = rest[(sizeof(int) + length)..];
        }

        return plain.WrittenMemory;
    }

    private static byte[] ToXerial(ReadOnlySpan<byte> plain)
    {
        var frame = new ArrayBufferWriter<byte>();
        frame.Write(XerialMagic);
        frame.Write((ReadOnlySpan<byte>)[0, 0, 0, 1, 0, 0, 0, 1]);
        Span<byte> length = stackalloc byte[sizeof(int)];
        for (; plain.Length > 0; plain = plain[Math.Min(XerialBlock, plain.Length)..])
        {
            byte[] block = Snappier.Snappy.CompressToArray(plain[..Math.Min(XerialBlock, plain.Length)]);
            BinaryPrimitives.WriteInt32BigEndian(length, block.Length);
            frame.Write(length);
            frame.Write(block);
        }

        return frame.WrittenSpan.ToArray();
    }
}
