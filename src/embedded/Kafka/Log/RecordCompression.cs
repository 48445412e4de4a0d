using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
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
    private const int GzipTrailer = 8;
    private const int XerialBlock = 32 * 1024;
    private const int XerialHeader = 16;
    private const int XerialVersion = 1;

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
                Gzip => Gunzip(data),
                Snappy => Unsnappy(data),
                Lz4 => Inflate(LZ4Stream.Decode(new MemoryStream(data.ToArray()))),
                Zstd => Inflate(new DecompressionStream(new MemoryStream(data.ToArray()))),
                _ => throw new MalformedRequestException($"The compression codec {codec} is unknown."),
            };
        }
        catch (Exception corrupt) when (corrupt is InvalidDataException or EndOfStreamException or ZstdException or IOException
            or ArgumentException)
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
            Gzip => new GZipStream(compressed, level < 1 ? CompressionLevel.Optimal : level < 4 ? CompressionLevel.Fastest : level > 8
                ? CompressionLevel.SmallestSize : CompressionLevel.Optimal, leaveOpen: true),
            Lz4 => Lz4Frame.Encode(compressed, level),
            Zstd => new CompressionStream(compressed, level, leaveOpen: true),
            _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, "The compression codec is unknown."),
        })
            encoder.Write(plain.Span);
        return compressed.GetBuffer().AsMemory(0, (int)compressed.Length);
    }

    // .NET takes a member whose checksum and size are cut off; Java does not. Members may follow each other: the last one is what the end
    // reports.
    private static byte[] Gunzip(ReadOnlyMemory<byte> data)
    {
        byte[] plain = Inflate(new GZipStream(new MemoryStream(data.ToArray()), CompressionMode.Decompress));
        if (data.Length < GzipTrailer)
            throw new EndOfStreamException("A gzip member ends in its header.");
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(data.Span[^sizeof(uint)..]);
        if (size > plain.Length
            || Crc32.HashToUInt32(plain.AsSpan(plain.Length - (int)size))
                != BinaryPrimitives.ReadUInt32LittleEndian(data.Span[^GzipTrailer..]))
            throw new InvalidDataException("Checksum and size at the end of a gzip member are not those of its data.");
        return plain;
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
                        throw TooLarge();
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
            return UnsnappyBlock(data.Span, 0);
        var plain = new ArrayBufferWriter<byte>();
        for (ReadOnlyMemory<byte> rest = data; rest.Length >= sizeof(int);)
        {
            // Frames may follow each other: a header in the place of a length begins the next one.
            if (rest.Span.StartsWith(XerialMagic))
            {
                if (rest.Length < XerialHeader)
                    throw new MalformedRequestException("A snappy frame ends in its header.");
                if (BinaryPrimitives.ReadInt32BigEndian(rest.Span[XerialMagic.Length..]) < XerialVersion)
                    throw new MalformedRequestException("A snappy frame is of an unknown version.");
                rest = rest[XerialHeader..];
                continue;
            }

            int length = BinaryPrimitives.ReadInt32BigEndian(rest.Span);
            if (length < 0 || length > rest.Length - sizeof(int))
                throw new MalformedRequestException("A snappy block is longer than its batch.");
            plain.Write(UnsnappyBlock(rest.Span.Slice(sizeof(int), length), plain.WrittenCount));
            rest = rest[(sizeof(int) + length)..];
        }

        return plain.WrittenMemory;
    }

    // A few bytes may announce gigabytes.
    private static byte[] UnsnappyBlock(ReadOnlySpan<byte> block, int before) =>
        Snappier.Snappy.GetUncompressedLength(block) + (long)before > MaxPlainBytes
            ? throw TooLarge()
            : Snappier.Snappy.DecompressToArray(block);

    private static MalformedRequestException TooLarge() =>
        new($"The records of a batch are larger than {MaxPlainBytes} bytes when decompressed.");

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
