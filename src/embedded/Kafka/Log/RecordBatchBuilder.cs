using System.Buffers.Binary;
using System.Runtime.InteropServices;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>Builds uncompressed record batches: those that the broker itself writes, and those that a compaction leaves.</summary>
internal static class RecordBatchBuilder
{
    private const short Transactional = 0x10;
    private const short Control = 0x20;

    /// <summary>One batch of <paramref name="records"/> (key, value; null values are tombstones).</summary>
    public static byte[] Build(IReadOnlyList<(ReadOnlyMemory<byte>? Key, ReadOnlyMemory<byte>? Value)> records, long timestamp,
        long producerId = -1, short producerEpoch = -1, bool transactional = false)
    {
        using var writer = new KafkaWriter();
        writer.Take(RecordBatch.HeaderLength);
        for (int i = 0; i < records.Count; i++)
            WriteRecord(writer, 0, i, records[i].Key, records[i].Value);
        return Finish(writer, records.Count - 1, records.Count, timestamp, timestamp, transactional ? Transactional : (short)0, producerId,
            producerEpoch);
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

    /// <summary>
    /// The batch whose header is <paramref name="original"/>'s, with only these records, under <paramref name="codec"/>. Offsets stay; with
    /// a delete horizon, timestamps become relative to it (KIP-534), and bodies are written anew.
    /// </summary>
    public static byte[] Rebuild(IReadOnlyList<LogRecord> records, ReadOnlySpan<byte> original, int codec, int level, long? deleteHorizonMs)
    {
        using var body = new KafkaWriter();
        var header = new RecordBatch(original[..RecordBatch.HeaderLength].ToArray());
        long oldBase = header.BaseTimestamp;
        long newBase = deleteHorizonMs ?? oldBase;
        long maxTimestamp = -1;
        foreach (LogRecord record in records)
        {
            long timestamp = oldBase + record.TimestampDelta;
            maxTimestamp = Math.Max(maxTimestamp, timestamp);
            WriteWithTimestamp(body, record, timestamp - newBase);
        }

        if (header.IsStampedByLog)
            maxTimestamp = header.MaxTimestamp;
        return Assemble(original, body.Written, codec, level, newBase, maxTimestamp, header.LastOffsetDelta, records.Count,
            deleteHorizonMs is not null);
    }

    /// <summary>A batch without records: it keeps the offsets, and the producer's last sequence.</summary>
    public static byte[] Empty(ReadOnlySpan<byte> original)
    {
        var header = new RecordBatch(original[..RecordBatch.HeaderLength].ToArray());
        return Assemble(original, ReadOnlyMemory<byte>.Empty, 0, 0, -1, header.MaxTimestamp, header.LastOffsetDelta, 0, false);
    }

    /// <summary>The records under another codec, or with offsets that follow each other.</summary>
    public static byte[] Recompress(ReadOnlyMemory<byte> batch, int codec, int level)
    {
        var header = new RecordBatch(MemoryMarshal.AsMemory(batch).Span);
        ReadOnlyMemory<byte> plain = RecordCompression.Decompress(header.Codec, batch[RecordBatch.HeaderLength..header.Size]);
        return Assemble(batch.Span, plain, codec, level, header.BaseTimestamp, header.MaxTimestamp, header.LastOffsetDelta,
            header.RecordCount, false);
    }

    private static byte[] Assemble(ReadOnlySpan<byte> header, ReadOnlyMemory<byte> plain, int codec, int level, long baseTimestamp,
        long maxTimestamp, int lastOffsetDelta, int count, bool hasDeleteHorizon)
    {
        ReadOnlyMemory<byte> records = RecordCompression.Compress(codec, level, plain);
        byte[] bytes = new byte[RecordBatch.HeaderLength + records.Length];
        header[..RecordBatch.HeaderLength].CopyTo(bytes);
        records.Span.CopyTo(bytes.AsSpan(RecordBatch.HeaderLength));
        new RecordBatch(bytes).Rewrite(bytes.Length, codec, baseTimestamp, maxTimestamp, lastOffsetDelta, count, hasDeleteHorizon);
        return bytes;
    }

    private static void WriteWithTimestamp(KafkaWriter writer, in LogRecord record, long timestampDelta)
    {
        // attributes, timestamp delta, and what follows it as it was
        int rest = 1;
        RecordReader.ReadVarlong(record.Body.Span, ref rest);
        int start = writer.Length;
        writer.WriteInt8(0);
        writer.WriteVarlong(timestampDelta);
        int length = writer.Length - start + record.Body.Length - rest;
        writer.Shrink(start);
        writer.WriteVarlong(length);
        writer.WriteInt8((sbyte)record.Body.Span[0]);
        writer.WriteVarlong(timestampDelta);
        record.Body.Span[rest..].CopyTo(writer.Take(record.Body.Length - rest));
    }

    private static void WriteRecord(KafkaWriter writer, long timestampDelta, int offsetDelta, ReadOnlyMemory<byte>? key,
        ReadOnlyMemory<byte>? value)
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

    private static byte[] Finish(KafkaWriter writer, int lastOffsetDelta, int count, long baseTimestamp, long maxTimestamp,
        short attributes, long producerId, short producerEpoch)
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
