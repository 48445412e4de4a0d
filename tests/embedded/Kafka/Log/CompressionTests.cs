using System.Buffers.Binary;
using System.IO.Hashing;
using K4os.Compression.LZ4;
using K4os.Compression.LZ4.Streams;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Log;

/// <summary>
/// What the broker compresses, by the rules of Kafka's Java client (org.apache.kafka.common.compress, snappy-java's SnappyInputStream), and
/// what clients compress. With <c>compression.type=lz4</c> it wrote blocks that depend on each other, which no Java consumer reads.
/// </summary>
public sealed class CompressionTests
{
    private const int Lz4Block = 64 * 1024;

    /// <summary>Below, at and above a block; more than one; data that does not become smaller.</summary>
    public static TheoryData<int, bool> Sizes => new()
    {
        { 1, true }, { Lz4Block - 1, true }, { Lz4Block, true }, { Lz4Block + 1, true }, { 1_000_000, true }, { 300_000, false },
        { Lz4Block, false },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Lz4_is_what_the_Java_client_reads(int size, bool compressible)
    {
        byte[] plain = Bytes(size, compressible);
        foreach (int level in (int[])[1, 8, 9, 10, 17])
            ReadLz4AsJava(RecordCompression.Compress(RecordCompression.Lz4, level, plain).Span).ShouldBe(plain);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Snappy_is_framed_as_the_Java_client_reads(int size, bool compressible)
    {
        byte[] plain = Bytes(size, compressible);
        ReadSnappyAsJava(RecordCompression.Compress(RecordCompression.Snappy, 0, plain).Span).ShouldBe(plain);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Gzip_is_one_member_with_its_checksum_and_size(int size, bool compressible)
    {
        byte[] plain = Bytes(size, compressible);
        foreach (int level in (int[])[-1, 1, 5, 9])
        {
            byte[] member = RecordCompression.Compress(RecordCompression.Gzip, level, plain).ToArray();
            member[..4].ShouldBe([0x1F, 0x8B, 8, 0], "magic, deflate, no optional fields");
            BinaryPrimitives.ReadUInt32LittleEndian(member.AsSpan(member.Length - 8)).ShouldBe(Crc32.HashToUInt32(plain));
            BinaryPrimitives.ReadUInt32LittleEndian(member.AsSpan(member.Length - 4)).ShouldBe((uint)size);
            RecordCompression.Decompress(RecordCompression.Gzip, member).ToArray().ShouldBe(plain);
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Zstd_is_one_frame_without_a_dictionary_whose_window_every_decoder_allows(int size, bool compressible)
    {
        byte[] plain = Bytes(size, compressible);
        foreach (int level in (int[])[-5, 1, 3, 22])
        {
            byte[] frame = RecordCompression.Compress(RecordCompression.Zstd, level, plain).ToArray();
            BinaryPrimitives.ReadUInt32LittleEndian(frame).ShouldBe(0xFD2FB528);
            (frame[4] & 0x03).ShouldBe(0, "no dictionary");
            (frame[4] & 0x08).ShouldBe(0, "reserved");
            bool singleSegment = (frame[4] & 0x20) != 0;
            if (!singleSegment)
                (10 + (frame[5] >> 3)).ShouldBeLessThanOrEqualTo(27, "the window that decoders take unless they are told otherwise");
            RecordCompression.Decompress(RecordCompression.Zstd, frame).ToArray().ShouldBe(plain);
        }
    }

    [Theory]
    [InlineData("lz4", RecordCompression.Lz4)]
    [InlineData("snappy", RecordCompression.Snappy)]
    [InlineData("gzip", RecordCompression.Gzip)]
    [InlineData("zstd", RecordCompression.Zstd)]
    public void A_topic_with_a_codec_of_its_own_keeps_every_batch_in_it(string type, int codec)
    {
        using var log = new TestLog(("compression.type", type));
        string value = new('v', 200_000);
        foreach (int sent in (int[])[RecordCompression.None, RecordCompression.Gzip, RecordCompression.Snappy, RecordCompression.Lz4,
            RecordCompression.Zstd])
            log.Log.Append(TestLog.Batch([("k", value)], log.Clock.Ms, codec: sent)).Error.ShouldBe(ErrorCode.None);
        Memory<byte> kept = log.Log.Read(0, 1_000_000, readCommitted: false, minOne: true).Records;
        for (int at = 0; at < kept.Length;)
        {
            var batch = new RecordBatch(kept.Span[at..]);
            batch.Codec.ShouldBe(codec);
            batch.HasValidCrc.ShouldBeTrue();
            if (codec == RecordCompression.Lz4)
                ReadLz4AsJava(batch.Records).Length.ShouldBeGreaterThan(200_000);
            if (codec == RecordCompression.Snappy)
                ReadSnappyAsJava(batch.Records).Length.ShouldBeGreaterThan(200_000);
            at += batch.Size;
        }

        log.ReadAll(maxBytes: 1_000_000).Select(r => r.Value).ShouldBe([value, value, value, value, value]);
    }

    [Theory]
    [InlineData(false, false, false, 64)]
    [InlineData(true, false, false, 256)]
    [InlineData(false, true, false, 1024)]
    [InlineData(true, true, true, 4096)]
    public void Lz4_of_other_clients_is_accepted_with_checksums_sizes_and_larger_blocks(
        bool contentChecksum, bool blockChecksum, bool contentLength, int blockKiB)
    {
        byte[] batch = TestLog.Batch([("k", new string('v', 200_000))], 1_000);
        ReadOnlyMemory<byte> plain = batch.AsMemory(RecordBatch.HeaderLength);
        byte[] frame = Lz4(plain, new LZ4EncoderSettings
        {
            ChainBlocks = false,
            ContentChecksum = contentChecksum,
            BlockChecksum = blockChecksum,
            BlockSize = blockKiB * 1024,
        });
        if (contentLength)
            frame = WithContentLength(frame, plain.Length);
        Lz4Frame.WhyUnreadable(frame).ShouldBeNull();
        RecordCompression.Decompress(RecordCompression.Lz4, frame).ToArray().ShouldBe(plain.ToArray());
        using var log = new TestLog(("compression.type", "gzip"));
        log.Log.Append(With(batch, RecordCompression.Lz4, frame)).Error.ShouldBe(ErrorCode.None);
    }

    [Fact]
    public void Lz4_with_blocks_that_depend_on_each_other_is_refused_as_by_Kafka()
    {
        byte[] batch = TestLog.Batch([("k", new string('v', 200_000))], 1_000);
        byte[] frame = Lz4(batch.AsMemory(RecordBatch.HeaderLength), new LZ4EncoderSettings { ChainBlocks = true });
        using var log = new TestLog();
        AppendResult refused = log.Log.Append(With(batch, RecordCompression.Lz4, frame));
        refused.Error.ShouldBe(ErrorCode.UnknownServerError);
        refused.Message.ShouldNotBeNull().ShouldContain("Dependent block stream is unsupported");
    }

    [Theory]
    [InlineData(0, "invalid magic bytes")]
    [InlineData(4, "Reserved bits must be 0")]
    [InlineData(5, "Reserved2 field must be 0")]
    [InlineData(6, "descriptor corrupted")]
    public void Lz4_with_a_damaged_header_is_refused(int at, string why)
    {
        byte[] frame = RecordCompression.Compress(RecordCompression.Lz4, 9, new byte[100]).ToArray();
        frame[at] ^= 1;
        Lz4Frame.WhyUnreadable(frame).ShouldNotBeNull().ShouldContain(why);
        Lz4Frame.WhyUnreadable(frame.AsSpan(0, 6)).ShouldBe("Stream ended prematurely");
    }

    [Fact]
    public void Gzip_is_read_in_several_members_and_refused_with_a_wrong_checksum()
    {
        byte[] plain = Bytes(100_000, compressible: true);
        byte[] member = RecordCompression.Compress(RecordCompression.Gzip, -1, plain).ToArray();
        RecordCompression.Decompress(RecordCompression.Gzip, (byte[])[.. member, .. member]).ToArray().ShouldBe([.. plain, .. plain]);
        member[^8] ^= 1;
        Should.Throw<MalformedRequestException>(() => RecordCompression.Decompress(RecordCompression.Gzip, member));
    }

    [Fact]
    public void Snappy_is_read_raw_framed_and_in_several_frames()
    {
        byte[] plain = Bytes(100_000, compressible: true);
        byte[] framed = RecordCompression.Compress(RecordCompression.Snappy, 0, plain).ToArray();
        RecordCompression.Decompress(RecordCompression.Snappy, Snappier.Snappy.CompressToArray(plain)).ToArray().ShouldBe(plain,
            "librdkafka sends one raw block");
        RecordCompression.Decompress(RecordCompression.Snappy, framed).ToArray().ShouldBe(plain);
        RecordCompression.Decompress(RecordCompression.Snappy, (byte[])[.. framed, .. framed]).ToArray().ShouldBe([.. plain, .. plain]);
    }

    [Theory]
    [InlineData(RecordCompression.Gzip)]
    [InlineData(RecordCompression.Snappy)]
    [InlineData(RecordCompression.Lz4)]
    [InlineData(RecordCompression.Zstd)]
    public void A_compressed_batch_that_is_cut_off_is_refused(int codec)
    {
        using var log = new TestLog(("compression.type", "uncompressed"));
        byte[] batch = TestLog.Batch([("k", new string('v', 1_000) + "wxyz")], log.Clock.Ms, codec: codec);
        log.Log.Append(With(batch, codec, batch[RecordBatch.HeaderLength..^5])).Error.ShouldBe(ErrorCode.CorruptMessage);
    }

    [Fact]
    public void Snappy_that_announces_gigabytes_is_refused_before_they_are_allocated() =>
        Should.Throw<MalformedRequestException>(() =>
            RecordCompression.Decompress(RecordCompression.Snappy, (byte[])[0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0]));

    private static byte[] Bytes(int size, bool compressible)
    {
        byte[] bytes = new byte[size];
#pragma warning disable CA5394 // the same bytes in every run
        var random = new Random(size);
        random.NextBytes(bytes);
#pragma warning restore CA5394
        for (int i = 0; compressible && i < size; i++)
            bytes[i] = (byte)(bytes[i / 50] & 0x0F);
        return bytes;
    }

    private static byte[] Lz4(ReadOnlyMemory<byte> plain, LZ4EncoderSettings settings)
    {
        using var frame = new MemoryStream();
        using (Stream encoder = LZ4Stream.Encode(frame, settings, leaveOpen: true))
            encoder.Write(plain.Span);
        return frame.ToArray();
    }

    private static byte[] WithContentLength(byte[] frame, long length)
    {
        byte[] descriptor = [(byte)(frame[4] | 0x08), frame[5], .. BitConverter.GetBytes(length)];
        return [.. frame[..4], .. descriptor, (byte)(XxHash32.HashToUInt32(descriptor) >> 8), .. frame[7..]];
    }

    // The batch with these records in place of its own.
    private static byte[] With(byte[] batch, int codec, byte[] records)
    {
        byte[] changed = [.. batch[..RecordBatch.HeaderLength], .. records];
        var header = new RecordBatch(changed);
        header.Rewrite(changed.Length, codec, header.BaseTimestamp, header.MaxTimestamp, header.LastOffsetDelta, header.RecordCount,
            hasDeleteHorizon: false);
        return changed;
    }

    // Lz4BlockInputStream: a partial implementation of the frame format; what it does not know it refuses, or skips without a look.
    private static byte[] ReadLz4AsJava(ReadOnlySpan<byte> frame)
    {
        BinaryPrimitives.ReadUInt32LittleEndian(frame).ShouldBe(0x184D2204u);
        byte flags = frame[4];
        (flags & 0x03).ShouldBe(0, "reserved");
        (flags >> 6).ShouldBe(1, "version");
        (flags & 0x20).ShouldNotBe(0, "blocks are independent");
        (flags & 0x1C).ShouldBe(0, "as Java writes it: no block checksum, content size or content checksum");
        frame[5].ShouldBe((byte)(4 << 4), "blocks of 64 KiB");
        frame[6].ShouldBe((byte)(XxHash32.HashToUInt32(frame.Slice(4, 2)) >> 8), "header checksum");
        var plain = new MemoryStream();
        byte[] block = new byte[Lz4Block];
        for (int at = 7; ;)
        {
            uint size = BinaryPrimitives.ReadUInt32LittleEndian(frame[at..]);
            at += sizeof(uint);
            if (size == 0)
            {
                at.ShouldBe(frame.Length, "nothing follows the end mark");
                return plain.ToArray();
            }

            bool compressed = (size & 0x80000000) == 0;
            int length = (int)(size & 0x7FFFFFFF);
            length.ShouldBeLessThanOrEqualTo(Lz4Block);
            ReadOnlySpan<byte> data = frame.Slice(at, length);
            int read = compressed ? LZ4Codec.Decode(data, block) : length;
            read.ShouldBeGreaterThan(0, "each block by itself");
            plain.Write(compressed ? block.AsSpan(0, read) : data);
            at += length;
        }
    }

    private static byte[] ReadSnappyAsJava(ReadOnlySpan<byte> frame)
    {
        frame[..8].ToArray().ShouldBe([0x82, .. "SNAPPY"u8, 0]);
        BinaryPrimitives.ReadInt32BigEndian(frame[8..]).ShouldBe(1, "version");
        BinaryPrimitives.ReadInt32BigEndian(frame[12..]).ShouldBe(1, "the least version that reads it");
        var plain = new MemoryStream();
        int at = 16;
        while (at < frame.Length)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(frame[at..]);
            byte[] block = Snappier.Snappy.DecompressToArray(frame.Slice(at + sizeof(int), length));
            block.Length.ShouldBeLessThanOrEqualTo(32 * 1024);
            plain.Write(block);
            at += sizeof(int) + length;
        }

        at.ShouldBe(frame.Length);
        return plain.ToArray();
    }
}
