using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>Where batches come to be in a log: the offset after them, and their largest timestamp.</summary>
internal readonly record struct LogAppendInfo(long NextOffset, TimestampOffset Max)
{
    /// <summary>
    /// Sets the offsets of batches, from the end of the log on. False when they are not to be appended: <paramref name="result"/> is the
    /// refusal of a producer, or where its batch is already.
    /// </summary>
    public static bool TryAssign(
        Span<byte> records, UnifiedLog log, ProducerStateManager producers, LogConfig config, bool isClient, out LogAppendInfo info,
        out AppendResult result)
    {
        long next = log.LogEndOffset;
        var max = new TimestampOffset(-1, next);
        (info, result) = (default, default);
        for (int at = 0; at < records.Length;)
        {
            var batch = new RecordBatch(records[at..]);
            if (batch.HasProducerId)
            {
                (ErrorCode error, string? message) = producers.Check(batch, isClient, next, log.Partition, out BatchMetadata? duplicate);
                if (error != ErrorCode.None || duplicate is not null)
                {
                    result = duplicate is { } stands
                        ? new AppendResult(ErrorCode.None, stands.FirstOffset, config.StampsAppendTime ? stands.Timestamp : -1)
                        : new AppendResult(error, Message: message);
                    return false;
                }
            }

            batch.BaseOffset = next;
            batch.PartitionLeaderEpoch = log.LeaderEpoch;
            next = batch.NextOffset;
            if (batch.MaxTimestamp > max.Timestamp)
                max = new TimestampOffset(batch.MaxTimestamp, batch.LastOffset);
            at += batch.Size;
        }

        info = new LogAppendInfo(next, max);
        return true;
    }

    /// <summary>Brings the producers up to batches that were appended to <paramref name="segment"/>.</summary>
    public static void Update(ProducerStateManager producers, Span<byte> records, LogSegment segment)
    {
        for (int at = 0; at < records.Length;)
        {
            var batch = new RecordBatch(records[at..]);
            if (producers.Update(batch) is { } aborted)
                segment.AppendAborted(aborted);
            at += batch.Size;
        }
    }
}
