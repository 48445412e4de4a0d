using System.Buffers.Binary;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>Builds uncompressed record batches: those that the broker itself writes, and those that a compaction leaves.</summary>
internal static class RecordBatchBuilder
{
    private const short Transactional = 0x10;
    private const short Control = 0x20;

    /// <summary>One batch of <paramref name="records"/> (key, value; null values are tombstones).</summary>
    public static byte[] Build(IReadOnlyList<(ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte>? Value)> records, long timestamp, long producerId = -1, short producerEpoch = -1, bool transactional = false)
    {
        using var writer = new KafkaWriter();
        writer.Take(RecordBatch.HeaderLength);
        for (int i = 0; i < records.Count; i++)
            WriteRecord(writer, 0, i, records[i].Key, records[i].Value);
        return Finish(writer, records.Count - 1, records.Count, timestamp, timestamp, transactional ? Transactional : (short)0, producerId, producerEpoch);
    }

    /// <summary>The marker that ends a transaction (control record, Apache Kafka "Control Records").</summary>
    public static byte[] EndTransactionMarker(long producerId, short producerEpoch, bool commit, int coordinatorEpoch, long timestamp)
    {
        using var writer = new KafkaWriter();
        writer.Take(RecordBatch.HeaderLength);
        byte[] key = new byte[4];
        BinaryPrimitives.WriteInt16BigEndian(key.AsSpan(2), commit ? (short)1 : (short)0);
        byte[] value = new byte[6];
        BinaryPrimitives.WriteInt32BigEndian(value.AsSpan(2), coordinatorEpoch);
        WriteRecord(writer, 0, 0, key, value);
        return Finish(writer, 0, 1, timestamp, timestamp, Transactional | Control, producerId, producerEpoch);
    }

    /// <summary>A batch of records that are given as they stood, with offsets and timestamps relative to the bases.</summary>
    public static byte[] Rebuild(IReadOnlyList<(long OffsetDelta, ReadOnlyMemory<byte> Body)> records, ReadOnlySpan<byte> original)
    {
        using var writer = new KafkaWriter();
        original[..RecordBatch.HeaderLength].CopyTo(writer.Take(RecordBatch.HeaderLength));
        foreach ((_, ReadOnlyMemory<byte> body) in records)
        {
            writer.WriteVarlong(body.Length);
            body.Span.CopyTo(writer.Take(body.Length));
        }

        Span<byte> bytes = writer.Written.Span;
        BinaryPrimitives.WriteInt32BigEndian(bytes[8..], bytes.Length - RecordBatch.LogOverhead);
        BinaryPrimitives.WriteInt16BigEndian(bytes[21..], (short)(BinaryPrimitives.ReadInt16BigEndian(bytes[21..]) & ~0x07)); // no compression
        BinaryPrimitives.WriteInt32BigEndian(bytes[57..], records.Count);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[17..], Crc32C.Compute(bytes[21..]));
        return bytes.ToArray();
    }

    private static void WriteRecord(KafkaWriter writer, long timestampDelta, int offsetDelta, ReadOnlyMemory<byte>? key, ReadOnlyMemory<byte>? value)
    {
        using var body = new KafkaWriter();
        body.WriteInt8(0);
        body.WriteVarlong(timestampDelta);
        body.WriteVarlong(offsetDelta);
        WriteField(body, key);
        WriteField(body, value);
        body.WriteVarlong(0);
        writer.WriteVarlong(body.Length);
        body.Written.Span.CopyTo(writer.Take(body.Length));
    }

    private static void WriteField(KafkaWriter body, ReadOnlyMemory<byte>? value)
    {
        body.WriteVarlong(value?.Length ?? -1);
        if (value is { } bytes)
            bytes.Span.CopyTo(body.Take(bytes.Length));
    }

    private static byte[] Finish(KafkaWriter writer, int lastOffsetDelta, int count, long baseTimestamp, long maxTimestamp, short attributes, long producerId, short producerEpoch)
    {
        Span<byte> bytes = writer.Written.Span;
        BinaryPrimitives.WriteInt64BigEndian(bytes, 0);
        BinaryPrimitives.WriteInt32BigEndian(bytes[8..], bytes.Length - RecordBatch.LogOverhead);
        BinaryPrimitives.WriteInt32BigEndian(bytes[12..], 0);
        bytes[16] = RecordBatch.Magic;
        BinaryPrimitives.WriteInt16BigEndian(bytes[21..], attributes);
        BinaryPrimitives.WriteInt32BigEndian(bytes[23..], lastOffsetDelta);
        BinaryPrimitives.WriteInt64BigEndian(bytes[27..], baseTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(bytes[35..], maxTimestamp);
        BinaryPrimitives.WriteInt64BigEndian(bytes[43..], producerId);
        BinaryPrimitives.WriteInt16BigEndian(bytes[51..], producerEpoch);
        BinaryPrimitives.WriteInt32BigEndian(bytes[53..], -1);
        BinaryPrimitives.WriteInt32BigEndian(bytes[57..], count);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[17..], Crc32C.Compute(bytes[21..]));
        return bytes.ToArray();
    }
}
