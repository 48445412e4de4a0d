using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using K4os.Compression.LZ4.Streams;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using Snappier;
using ZstdSharp;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>One record of a batch. <see cref="Body"/> is the record without its length.</summary>
internal readonly record struct LogRecord(long OffsetDelta, long TimestampDelta, ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte>? Value, ReadOnlyMemory<byte> Body);

/// <summary>Reads the records of a batch, whatever its codec. Only compaction and the broker's own topics need it; others pass batches through.</summary>
internal static class RecordReader
{
    private static readonly byte[] XerialHeader = [0x82, (byte)'S', (byte)'N', (byte)'A', (byte)'P', (byte)'P', (byte)'Y', 0];

    /// <summary>The records of the batch in <paramref name="batch"/>.</summary>
    /// <exception cref="MalformedRequestException">The records are not what the header says.</exception>
    public static List<LogRecord> Read(ReadOnlyMemory<byte> batch)
    {
        byte[] copy = batch.ToArray();
        var header = new RecordBatch(copy);
        ReadOnlyMemory<byte> data = Decompress(header.Codec, copy.AsMemory(RecordBatch.HeaderLength, header.Size - RecordBatch.HeaderLength));
        var records = new List<LogRecord>(header.RecordCount);
        int at = 0;
        for (int i = 0; i < header.RecordCount; i++)
        {
            int length = checked((int)Varlong(data.Span, ref at));
            ReadOnlyMemory<byte> body = Slice(data, at, length);
            at += length;
            int field = 1;
            long timestampDelta = Varlong(body.Span, ref field);
            long offsetDelta = Varlong(body.Span, ref field);
            ReadOnlyMemory<byte>? key = Field(body, ref field);
            ReadOnlyMemory<byte>? value = Field(body, ref field);
            records.Add(new LogRecord(offsetDelta, timestampDelta, key, value, body));
        }

        return records;
    }

    private static ReadOnlyMemory<byte>? Field(ReadOnlyMemory<byte> body, ref int at)
    {
        int length = checked((int)Varlong(body.Span, ref at));
        if (length < 0)
            return null;
        ReadOnlyMemory<byte> value = Slice(body, at, length);
        at += length;
        return value;
    }

    private static ReadOnlyMemory<byte> Slice(ReadOnlyMemory<byte> data, int at, int length) =>
        length >= 0 && length <= data.Length - at ? data.Slice(at, length) : throw new MalformedRequestException("A record is longer than its batch.");

    private static long Varlong(ReadOnlySpan<byte> data, ref int at)
    {
        ulong bits = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if (at >= data.Length)
                break;
            byte next = data[at++];
            bits |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80)
                return (long)(bits >> 1) ^ -(long)(bits & 1);
        }

        throw new MalformedRequestException("A record ends in the middle of a number.");
    }

    private static ReadOnlyMemory<byte> Decompress(int codec, ReadOnlyMemory<byte> data) => codec switch
    {
        0 => data,
        1 => Inflate(new GZipStream(new MemoryStream(data.ToArray()), CompressionMode.Decompress)),
        2 => Unsnappy(data),
        3 => Inflate(LZ4Stream.Decode(new MemoryStream(data.ToArray()))),
        4 => Inflate(new DecompressionStream(new MemoryStream(data.ToArray()))),
        _ => throw new MalformedRequestException($"The compression codec {codec} is unknown."),
    };

    private static byte[] Inflate(Stream compressed)
    {
        using (compressed)
        {
            using var plain = new MemoryStream();
            compressed.CopyTo(plain);
            return plain.ToArray();
        }
    }

    // Java's clients frame snappy in blocks (xerial); librdkafka sends one raw block.
    private static ReadOnlyMemory<byte> Unsnappy(ReadOnlyMemory<byte> data)
    {
        if (!data.Span.StartsWith(XerialHeader))
            return Snappy.DecompressToArray(data.Span);
        var plain = new ArrayBufferWriter<byte>();
        for (ReadOnlyMemory<byte> rest = data[16..]; rest.Length >= sizeof(int);)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(rest.Span);
            plain.Write(Snappy.DecompressToArray(Slice(rest, sizeof(int), length).Span));
            rest = rest[(sizeof(int) + length)..];
        }

        return plain.WrittenMemory;
    }
}
