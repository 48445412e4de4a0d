using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Reads a partition up to its end at the time of the call. Kafka answers a commit before its marker stands in each partition, and until then a read-committed reader is told of an end before the transaction: what was
/// answered already would be missed. The end is the one of all records therefore, and what is open there is waited for. The calls block.
/// </summary>
internal static class CommittedRecords
{
    private static readonly TimeSpan QueryTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15); // a transaction that is open for longer has lost its writer: nothing of it has been answered
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>The committed records of <paramref name="source"/> from <paramref name="fromOffset"/> on, in order.</summary>
    /// <param name="consumer">A <see cref="KafkaConnection.BoundedReader"/>, which is assigned to the partition.</param>
    /// <param name="source">The partition.</param>
    /// <param name="fromOffset">Where to begin; 0: at the first.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public static IEnumerable<ConsumeResult<byte[], byte[]>> Read(IConsumer<byte[], byte[]> consumer, TopicPartition source, long fromOffset, CancellationToken cancellationToken)
    {
        WatermarkOffsets committed = PartitionOffsets.Query(consumer, source, QueryTimeout, cancellationToken);
        consumer.Assign(new TopicPartitionOffset(source, Math.Clamp(fromOffset, committed.Low.Value, Math.Max(committed.Low.Value, committed.High.Value))));
        long end = -1;
        long? open = null;
        while (true)
        {
            ConsumeResult<byte[], byte[]>? record = consumer.Consume(PollInterval);
            cancellationToken.ThrowIfCancellationRequested();
            if (record is null)
            {
                if (open is { } since && TimeProvider.System.GetElapsedTime(since) > Patience)
                    yield break;
                continue;
            }

            if (end < 0)
                end = consumer.GetWatermarkOffsets(source).High.Value; // of the answer that this record, or this end, came with, or of a later one
            if (record.Offset.Value >= end)
                yield break;
            if (record.IsPartitionEOF)
            {
                open ??= TimeProvider.System.GetTimestamp();
                continue;
            }

            open = null;
            if (record.Offset.Value >= fromOffset)
                yield return record;
            if (record.Offset.Value == end - 1)
                yield break;
        }
    }
}
