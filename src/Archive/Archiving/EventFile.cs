using Confluent.Kafka;

namespace KafkaEventSourcing.Archive;

/// <summary>The file of a range's records as they were.</summary>
internal static class EventFile
{
    /// <summary>Writes the records of a partition, and returns how many.</summary>
    public static long Write(Stream output, TopicPartition partition, IReadOnlyList<ConsumeResult<byte[], byte[]>> records,
        IReadOnlyList<EventRow> rows)
    {
        using var writer = new RawFileWriter(output, partition.Topic, partition.Partition.Value);
        for (int i = 0; i < records.Count; i++)
            writer.Append(records[i], rows[i].Head, rows[i].Schema?.Record?.FullName);
        writer.Complete();
        return records.Count;
    }

    /// <summary>The records from <paramref name="fromOffset"/> on, in order.</summary>
    /// <exception cref="InvalidDataException">The file is damaged.</exception>
    public static IEnumerable<ConsumeResult<byte[], byte[]>> Read(Stream input, TopicPartition partition, long fromOffset,
        CancellationToken cancellationToken)
    {
        using var reader = new RawFileReader(input);
        foreach (ConsumeResult<byte[], byte[]> record in reader.Read(partition, fromOffset, cancellationToken))
            yield return record;
    }

    /// <summary>Those of them that have <paramref name="key"/>.</summary>
    /// <inheritdoc cref="Read"/>
    public static IEnumerable<ConsumeResult<byte[], byte[]>> ReadKey(Stream input, TopicPartition partition, byte[] key, long fromOffset,
        CancellationToken cancellationToken)
    {
        using var reader = new RawFileReader(input);
        foreach (ConsumeResult<byte[], byte[]> record in reader.ReadAggregate(partition, key, 0, cancellationToken))
        {
            if (record.Offset.Value >= fromOffset)
                yield return record;
        }
    }
}
