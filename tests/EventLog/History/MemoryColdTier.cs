using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>A cold tier whose records are in memory; as strict as an archive: what it has is unbroken.</summary>
internal sealed class MemoryColdTier : IColdTier
{
    private readonly Lock _lock = new();
    private readonly List<ConsumeResult<byte[], byte[]>> _records = [];
    private PartitionExtent? _extent;

    /// <summary>Called before each record that is read.</summary>
    public Action<long> Reading { get; set; } = static _ => { };

    /// <summary>What reading fails with; null: it does not.</summary>
    public Exception? Failure { get; set; }

    /// <summary>How many records were read, whoever got them.</summary>
    public int Reads { get; private set; }

    public void Add(IEnumerable<ConsumeResult<byte[], byte[]>> records, long start, long end)
    {
        lock (_lock)
        {
            if (_extent is { } extent && extent.End != start)
                throw new InvalidOperationException($"It ends at {extent.End}.");
            _records.AddRange(records.Where(r => r.Offset.Value >= start && r.Offset.Value < end));
            _extent = new PartitionExtent(_extent?.Start ?? start, end);
        }
    }

    public PartitionExtent? ExtentOf(TopicPartition partition, CancellationToken cancellationToken)
    {
        lock (_lock)
            return Failure is null ? _extent : throw Failure;
    }

    public IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition partition, long fromOffset, CancellationToken cancellationToken)
    {
        ConsumeResult<byte[], byte[]>[] records;
        lock (_lock)
            records = [.. _records.Where(r => r.Offset.Value >= fromOffset)];
        foreach (ConsumeResult<byte[], byte[]> record in records)
        {
            if (Failure is not null)
                throw Failure;
            Reading(record.Offset.Value);
            Reads++;
            yield return record;
        }
    }

    public IEnumerable<ConsumeResult<byte[], byte[]>> ReadKey(TopicPartition partition, byte[] key, long fromOffset,
        CancellationToken cancellationToken)
    {
        lock (_lock)
            return [.. _records.Where(r => r.Offset.Value >= fromOffset && r.Message.Key.AsSpan().SequenceEqual(key))];
    }

    public long? OffsetAt(TopicPartition partition, DateTimeOffset time, CancellationToken cancellationToken)
    {
        lock (_lock)
            return _records.Find(r => r.Message.Timestamp.UtcDateTime >= time.UtcDateTime)?.Offset.Value;
    }
}
