using System.Buffers.Binary;
using System.IO.Hashing;
using K4os.Compression.LZ4;
using K4os.Compression.LZ4.Streams;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>
/// LZ4 frames (LZ4 Frame Format 1.5.1) as the Java client writes and reads them: blocks that do not depend on each other, 64 KiB each where
/// it writes, no checksum or size of the content.
/// </summary>
internal static class Lz4Frame
{
    private const uint Magic = 0x184D2204;
    private const int ReservedFlags = 0x03;
    private const int ContentSizeFlag = 0x08;
    private const int IndependentFlag = 0x20;
    private const int VersionShift = 6;
    private const int DescriptorAt = 4;
    private const int DefaultLevel = 9;
    private const int LeastHighLevel = 3;
    private const int LargestLevel = 12;

    /// <summary>
    /// Why the Java client, and so every consumer of a topic that uses it, cannot read a frame that begins so; null when it can.
    /// </summary>
    public static string? WhyUnreadable(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < DescriptorAt + 3)
            return "Stream ended prematurely";
        if (BinaryPrimitives.ReadUInt32LittleEndian(frame) != Magic)
            return "Stream unsupported (invalid magic bytes)";
        (byte flags, byte block) = (frame[DescriptorAt], frame[DescriptorAt + 1]);
        if ((flags & ReservedFlags) != 0)
            return "Reserved bits must be 0";
        if ((flags & IndependentFlag) == 0)
            return "Dependent block stream is unsupported";
        if (flags >> VersionShift != 1)
            return $"Version {flags >> VersionShift} is unsupported";
        if ((block & 0x0F) != 0)
            return "Reserved2 field must be 0";
        if (((block >> 4) & 0x07) < 4)
            return "Block size value must be between 4 and 7";
        if (block >> 7 != 0)
            return "Reserved3 field must be 0";
        int length = (flags & ContentSizeFlag) != 0 ? 10 : 2;
        return frame.Length <= DescriptorAt + length ? "Stream ended prematurely"
            : frame[DescriptorAt + length] != (byte)(XxHash32.HashToUInt32(frame.Slice(DescriptorAt, length)) >> 8)
            ? "Stream frame descriptor corrupted"
            : null;
    }

    /// <summary>
    /// Compresses what is written into <paramref name="frame"/>, which stays open. The default level is the fast one, all others are those
    /// of the high compressor, as in Kafka.
    /// </summary>
    public static Stream Encode(Stream frame, int level) => LZ4Stream.Encode(
        frame,
        new LZ4EncoderSettings
        {
            ChainBlocks = false,
            ContentChecksum = false,
            BlockChecksum = false,
            ContentLength = null,
            BlockSize = 64 * 1024,
            CompressionLevel = level == DefaultLevel ? LZ4Level.L00_FAST : (LZ4Level)Math.Clamp(level, LeastHighLevel, LargestLevel),
        },
        leaveOpen: true);
}
