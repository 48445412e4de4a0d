using System.Globalization;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Log;

/// <summary>A record that was refused, by its place in the batch.</summary>
internal readonly record struct RecordError(int Index, string Message);

/// <summary>
/// Checks what a producer sent, as Kafka's LogValidator does, and brings it into the form that the log keeps. It takes no lock and, for
/// batches that stay as they are, allocates nothing. Compressed records are opened only where a rule of the topic needs to see them: keys
/// (compaction), timestamps that the header cannot vouch for, another codec.
/// </summary>
internal static class LogValidator
{
    /// <summary>None, or why the batch cannot be taken. <paramref name="batch"/> is replaced where the topic wants another codec.</summary>
    public static AppendResult Validate(ref Memory<byte> batch, LogConfig config, TopicPartition partition, long now)
    {
        if (batch.Length == 0)
            return new AppendResult(ErrorCode.InvalidRecord, Message: "The request has no records.");
        ErrorCode malformed = RecordBatch.Check(batch.Span);
        if (malformed != ErrorCode.None)
            return new AppendResult(malformed);
        var header = new RecordBatch(batch.Span);
        if (header.Size > config.MaxMessageBytes)
            return Refuse(ErrorCode.MessageTooLarge,
                $"The record batch size in the append to {partition} is {header.Size} bytes which exceeds the maximum configured value "
                    + $"of {config.MaxMessageBytes}.");
        if (header.Size != batch.Length)
            return Refuse(ErrorCode.InvalidRecord,
                $"A produce request must contain exactly one record batch per partition; that of {partition} has more.");
        if (!header.HasValidCrc)
            return Refuse(ErrorCode.CorruptMessage, $"Record is corrupt (stored crc = {header.Crc}) in topic partition {partition}.");
        if (header.BaseOffset != 0)
            return Refuse(ErrorCode.InvalidRecord,
                $"The baseOffset of the record batch in the append to {partition} should be 0, but it is {header.BaseOffset}");
        if (header.RecordCount <= 0)
            return Refuse(ErrorCode.InvalidRecord,
                $"Invalid reported count for record batch: {header.RecordCount} in topic partition {partition}");
        if (header.LastOffsetDelta != header.RecordCount - 1)
            return Refuse(ErrorCode.InvalidRecord,
                $"Inconsistent batch offset range [0, {header.LastOffsetDelta}] and count of records {header.RecordCount} in topic "
                    + $"partition {partition}");
        if (header.IsControl)
            return Refuse(ErrorCode.InvalidRecord, $"Clients are not allowed to write control records in topic partition {partition}");
        if (header.HasProducerId && header.BaseSequence < 0)
            return Refuse(ErrorCode.InvalidRecord,
                $"Invalid sequence number {header.BaseSequence} in record batch with producerId {header.ProducerId} in topic "
                    + $"partition {partition}");
        if (header.DeleteHorizonMs is not null)
            return Refuse(ErrorCode.InvalidRecord, $"Clients are not allowed to set a delete horizon in topic partition {partition}");
        if (header.Codec > RecordCompression.Zstd)
            return Refuse(ErrorCode.CorruptMessage, $"The compression codec {header.Codec} is unknown.");
        if (header.Codec == RecordCompression.Lz4 && Lz4Frame.WhyUnreadable(batch.Span[RecordBatch.HeaderLength..]) is { } unreadable)
            return Refuse(ErrorCode.UnknownServerError,
                $"The LZ4 frame in the append to {partition} cannot be read by Kafka's clients: {unreadable}.");
        if (header.IsStampedByLog && !config.StampsAppendTime)
            return Refuse(ErrorCode.InvalidTimestamp,
                "Invalid timestamp type in message: Producer should not set timestamp type to LogAppendTime.");

        AppendResult result = ValidateRecords(batch, config, partition, now);
        if (result.Error != ErrorCode.None)
            return result;
        int codec = config.TargetCodec ?? header.Codec;
        if (codec != header.Codec)
        {
            batch = RecordBatchBuilder.Recompress(batch, codec, config.CompressionLevel(codec));
            if (batch.Length > config.MaxMessageBytes)
                return Refuse(ErrorCode.MessageTooLarge,
                    $"Message batch size is {batch.Length} bytes in append to partition {partition} which exceeds the maximum configured "
                        + $"size of {config.MaxMessageBytes}.");
        }

        if (config.StampsAppendTime)
            new RecordBatch(batch.Span).SetLogAppendTime(now);
        return default;
    }

    private static AppendResult ValidateRecords(Memory<byte> batch, LogConfig config, TopicPartition partition, long now)
    {
        var header = new RecordBatch(batch.Span);
        long oldest = config.StampsAppendTime || config.MessageTimestampBeforeMaxMs == long.MaxValue
            ? long.MinValue
            : now - config.MessageTimestampBeforeMaxMs;
        long newest = config.StampsAppendTime || config.MessageTimestampAfterMaxMs > long.MaxValue - now
            ? long.MaxValue
            : now + config.MessageTimestampAfterMaxMs;
        if (header.Codec != RecordCompression.None
            && !config.Compacts
            && oldest == long.MinValue
            && header.MaxTimestamp <= newest
            && header.BaseTimestamp <= newest
            && config.TargetCodec is null)
            return default;
        try
        {
            return Walk(RecordCompression.Decompress(header.Codec, batch[RecordBatch.HeaderLength..]).Span, header, config.Compacts, oldest,
                newest, partition);
        }
        catch (MalformedRequestException corrupt)
        {
            return Refuse(header.Codec == RecordCompression.None ? ErrorCode.InvalidRecord : ErrorCode.CorruptMessage,
                $"Found invalid record structure in topic partition {partition}: {corrupt.Message}");
        }
    }

    private static AppendResult Walk(ReadOnlySpan<byte> records, in RecordBatch header, bool needsKey, long oldest, long newest,
        TopicPartition partition)
    {
        List<RecordError>? errors = null;
        bool badTimestamp = false;
        long maxTimestamp = -1;
        int at = 0;
        for (int i = 0; i < header.RecordCount; i++)
        {
            long length = RecordReader.ReadVarlong(records, ref at);
            if (length < 6 || length > records.Length - at)
                throw new MalformedRequestException($"Record {i} has {length} bytes, {records.Length - at} are left.");
            ReadOnlySpan<byte> body = records.Slice(at, (int)length);
            at += (int)length;
            int field = 1;
            long timestamp = header.BaseTimestamp + RecordReader.ReadVarlong(body, ref field);
            if (RecordReader.ReadVarlong(body, ref field) != i)
                throw new MalformedRequestException($"Record {i} does not have the offset {i} in its batch.");
            long keyLength = RecordReader.ReadVarlong(body, ref field);
            Skip(body, keyLength, ref field);
            Skip(body, RecordReader.ReadVarlong(body, ref field), ref field);
            SkipHeaders(body, ref field);
            maxTimestamp = Math.Max(maxTimestamp, timestamp);
            if (needsKey && keyLength < 0)
            {
                (errors ??= []).Add(new RecordError(i,
                    $"Compacted topic cannot accept message without key in topic partition {partition}."));
            }
            else if (timestamp != -1 && (timestamp < oldest || timestamp > newest))
            {
                badTimestamp = true;
                (errors ??= []).Add(new RecordError(i,
                    string.Create(CultureInfo.InvariantCulture,
                        $"Timestamp {timestamp} of message with offset {i} is out of range. The timestamp should be within "
                            + $"[{oldest}, {newest}]")));
            }
        }

        if (at != records.Length)
            throw new MalformedRequestException($"{records.Length - at} bytes follow the last record.");
        if (errors is not null)
        {
            return badTimestamp
                ? new AppendResult(ErrorCode.InvalidTimestamp, Message: "One or more records have been rejected due to invalid timestamp",
                    RecordErrors: errors)
                : new AppendResult(ErrorCode.InvalidRecord,
                    Message: $"One or more records have been rejected due to {errors.Count} record errors in total, and only showing the "
                        + $"first three errors at most: [{string.Join(", ", errors.Take(3).Select(e => e.Message))}]",
                        RecordErrors: errors);
        }

        // The indexes rest on it. Kafka sets it right in the same case.
        return maxTimestamp == header.MaxTimestamp || header.IsStampedByLog
            ? default
            : SetMaxTimestamp(header, maxTimestamp);
    }

    private static AppendResult SetMaxTimestamp(RecordBatch header, long maxTimestamp)
    {
        header.SetMaxTimestamp(maxTimestamp);
        return default;
    }

    private static void Skip(ReadOnlySpan<byte> body, long length, ref int at)
    {
        if (length < 0)
            return;
        if (length > body.Length - at)
            throw new MalformedRequestException("A key or value is longer than its record.");
        at += (int)length;
    }

    private static void SkipHeaders(ReadOnlySpan<byte> body, ref int at)
    {
        long count = RecordReader.ReadVarlong(body, ref at);
        if (count < 0 || count > body.Length)
            throw new MalformedRequestException($"A record cannot have {count} headers.");
        for (; count > 0; count--)
        {
            long name = RecordReader.ReadVarlong(body, ref at);
            if (name < 0)
                throw new MalformedRequestException("A header has no name.");
            Skip(body, name, ref at);
            Skip(body, RecordReader.ReadVarlong(body, ref at), ref at);
        }

        if (at != body.Length)
            throw new MalformedRequestException("A record is longer than its fields.");
    }

    /// <summary>A batch that no segment can hold, in Kafka's words.</summary>
    public static AppendResult LargerThanSegment(int bytes, TopicPartition partition, LogConfig config) =>
        Refuse(ErrorCode.RecordListTooLarge, string.Create(CultureInfo.InvariantCulture,
            $"Message batch size is {bytes} bytes in append to partition {partition}, which exceeds the maximum configured segment size of "
                + $"{config.SegmentBytes}."));

    private static AppendResult Refuse(ErrorCode error, string message) => new(error, Message: message);
}
