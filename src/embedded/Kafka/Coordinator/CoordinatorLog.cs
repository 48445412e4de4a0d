using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Writes the records of a coordinator to its topic, and reads them again at start.</summary>
internal static class CoordinatorLog
{
    private const int ReadBytes = 1024 * 1024;

    /// <summary>What learns of every batch; the batch is only its header and bytes, the records are read.</summary>
    public delegate void BatchVisitor(RecordBatch batch, List<LogRecord> records);

    public static void Replay(UnifiedLog log, BatchVisitor visit)
    {
        for (long offset = log.LogStartOffset; offset < log.LogEndOffset;)
        {
            Memory<byte> records = log.Read(offset, ReadBytes, readCommitted: false, minOne: true).Records;
            if (records.Length == 0)
                break;
            for (int at = 0; at < records.Length;)
            {
                var batch = new RecordBatch(records.Span[at..]);
                visit(batch, RecordReader.Read(records.Slice(at, batch.Size)));
                offset = batch.LastOffset + 1;
                at += batch.Size;
            }
        }
    }

    /// <exception cref="KafkaStorageException">The log cannot be written at present; nothing was.</exception>
    /// <exception cref="InvalidOperationException">The log does not take the records.</exception>
    public static void Append(UnifiedLog log, IReadOnlyList<CoordinatorRecord> records, long timestamp, long producerId = -1,
        short producerEpoch = -1)
    {
        if (records.Count == 0)
            return;
        using var writer = new KafkaWriter();
        var encoded = new List<(ReadOnlyMemory<byte>?, ReadOnlyMemory<byte>?)>(records.Count);
        foreach (CoordinatorRecord record in records)
            encoded.Add((Encode(writer, record.Key), record.Value is null ? (ReadOnlyMemory<byte>?)null : Encode(writer, record.Value)));
        AppendResult appended = log.Append(RecordBatchBuilder.Build(encoded, timestamp, producerId, producerEpoch,
            transactional: producerId >= 0), isClient: false);
        if (appended.Error == ErrorCode.KafkaStorageError)
            throw new KafkaStorageException(appended.Message!);
        if (appended.Error != ErrorCode.None)
            throw new InvalidOperationException(
                $"The records of a coordinator cannot be written to {log.Partition}: {appended.Error} {appended.Message}");
    }

    private static ReadOnlyMemory<byte> Encode(KafkaWriter writer, IKafkaRecord record)
    {
        writer.Reset();
        writer.WriteInt16(record.WrittenVersion);
        record.Write(writer, record.WrittenVersion);
        return writer.Written.ToArray();
    }
}
