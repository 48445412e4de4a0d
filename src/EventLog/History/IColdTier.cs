using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Where records of topics are that may have left them: an archive. What it has of a partition is one unbroken range of offsets, and grows
/// at its end only. The calls block. Thread-safe.
/// </summary>
internal interface IColdTier
{
    /// <summary>The offsets that are archived of a partition now: <c>Start</c> is the first and <c>End</c> the one behind the last; null:
    /// none.</summary>
    /// <exception cref="ArchiveDamagedException">What is archived is not the log's, or not unbroken.</exception>
    /// <exception cref="IOException">The archive cannot be read now.</exception>
    PartitionExtent? ExtentOf(TopicPartition partition, CancellationToken cancellationToken);

    /// <summary>The committed records from <paramref name="fromOffset"/> on, in order, to the end of what is archived.</summary>
    /// <exception cref="ArchiveDamagedException">A part of them is missing, doubled or damaged.</exception>
    /// <exception cref="IOException">The archive cannot be read now.</exception>
    IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition partition, long fromOffset, CancellationToken cancellationToken);

    /// <summary>Those of them that have <paramref name="key"/>, without reading all.</summary>
    /// <inheritdoc cref="Read"/>
    IEnumerable<ConsumeResult<byte[], byte[]>> ReadKey(TopicPartition partition, byte[] key, long fromOffset,
        CancellationToken cancellationToken);

    /// <summary>The first archived offset whose record is not older than <paramref name="time"/>; null: all are.</summary>
    /// <inheritdoc cref="Read"/>
    long? OffsetAt(TopicPartition partition, DateTimeOffset time, CancellationToken cancellationToken);
}
