using System.Runtime.InteropServices;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>One record of a batch. <see cref="Body"/> is the record without its length.</summary>
internal readonly record struct LogRecord(long OffsetDelta, long TimestampDelta, ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte>? Value,
    ReadOnlyMemory<byte> Body);

/// <summary>
/// Reads the records of a batch, whatever its codec. Only compaction and the broker's own topics need it; others pass batches through.
/// </summary>
internal static class RecordReader
{
    private const int MinRecordSize = 7;

    /// <summary>The records of the batch in <paramref name="batch"/>.</summary>
    /// <exception cref="MalformedRequestException">The records are not what the header says.</exception>
    public static List<LogRecord> Read(ReadOnlyMemory<byte> batch)
    {
        var header = new RecordBatch(MemoryMarshal.AsMemory(batch).Span);
        ReadOnlyMemory<byte> data = RecordCompression.Decompress(header.Codec, batch[RecordBatch.HeaderLength..header.Size]);
        var records = new List<LogRecord>(Math.Min(header.RecordCount, data.Length / MinRecordSize));
        int at = 0;
        for (int i = 0; i < header.RecordCount; i++)
        {
            int length = Length(ReadVarlong(data.Span, ref at));
            ReadOnlyMemory<byte> body = Slice(data, at, length);
            at += length;
            int field = 1;
            long timestampDelta = ReadVarlong(body.Span, ref field);
            long offsetDelta = ReadVarlong(body.Span, ref field);
            ReadOnlyMemory<byte>? key = Field(body, ref field);
            ReadOnlyMemory<byte>? value = Field(body, ref field);
            records.Add(new LogRecord(offsetDelta, timestampDelta, key, value, body));
        }

        return records;
    }

    private static ReadOnlyMemory<byte>? Field(ReadOnlyMemory<byte> body, ref int at)
    {
        int length = Length(ReadVarlong(body.Span, ref at));
        if (length < 0)
            return null;
        ReadOnlyMemory<byte> value = Slice(body, at, length);
        at += length;
        return value;
    }

    private static int Length(long value) => value is >= -1 and <= int.MaxValue
        ? (int)value
        : throw new MalformedRequestException("A record has an impossible length.");

    private static ReadOnlyMemory<byte> Slice(ReadOnlyMemory<byte> data, int at, int length) =>
        length >= 0 && length <= data.Length - at
            ? data.Slice(at, length)
            : throw new MalformedRequestException("A record is longer than its batch.");

    public static long ReadVarlong(ReadOnlySpan<byte> data, ref int at)
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
}
