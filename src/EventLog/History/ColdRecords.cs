using System.Globalization;
using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// A cold tier as those see it who read a partition from it and then from its topic. A place that cannot be read now is to them what a
/// cluster is that does not answer.
/// </summary>
internal sealed class ColdRecords(IColdTier cold)
{
    /// <summary>
    /// The first offset that is in the cold tier of a partition whose topic begins at <paramref name="hot"/>; null: nothing has left the
    /// topic, or nothing of it was archived.
    /// </summary>
    /// <exception cref="ArchiveDamagedException">There are offsets between what is archived and what is in the topic.</exception>
    public long? StartOf(TopicPartition partition, long hot, CancellationToken cancellationToken)
    {
        if (hot <= 0 || Ask(partition, () => cold.ExtentOf(partition, cancellationToken)) is not { } archived)
            return null;
        return archived.End >= hot ? archived.Start : throw new ArchiveDamagedException(string.Create(CultureInfo.InvariantCulture,
            $"The topic {partition.Topic} begins at offset {hot} in partition {partition.Partition.Value}, and what is archived of it ends "
                + $"at {archived.End}: the events between are in neither. Bring back the files of the archive that are missing."));
    }

    /// <summary>The offset behind what is archived.</summary>
    public long EndOf(TopicPartition partition, CancellationToken cancellationToken) =>
        Ask(partition, () => cold.ExtentOf(partition, cancellationToken))?.End ?? 0;

    /// <summary>The first offset before <paramref name="hot"/> whose record is not older than <paramref name="time"/>.</summary>
    public long? OffsetAt(TopicPartition partition, DateTimeOffset time, long hot, CancellationToken cancellationToken) =>
        Ask(partition, () => cold.OffsetAt(partition, time, cancellationToken)) is { } offset && offset < hot ? offset : null;

    /// <summary>The record at an offset.</summary>
    public ConsumeResult<byte[], byte[]> ReadAt(TopicPartition partition, long offset, CancellationToken cancellationToken) =>
        Read(partition, offset, cancellationToken).FirstOrDefault() is { } record && record.Offset.Value == offset
            ? record
            : throw new ArchiveDamagedException(string.Create(CultureInfo.InvariantCulture,
                $"There is no record at {partition.Topic} {partition.Partition.Value}@{offset} in what is archived of it."));

    /// <inheritdoc cref="IColdTier.Read"/>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition partition, long fromOffset,
        CancellationToken cancellationToken) =>
        Guard(partition, () => cold.Read(partition, fromOffset, cancellationToken));

    /// <inheritdoc cref="IColdTier.ReadKey"/>
    public IEnumerable<ConsumeResult<byte[], byte[]>> ReadKey(TopicPartition partition, byte[] key, long fromOffset,
        CancellationToken cancellationToken) =>
        Guard(partition, () => cold.ReadKey(partition, key, fromOffset, cancellationToken));

    private static IEnumerable<ConsumeResult<byte[], byte[]>> Guard(TopicPartition partition,
        Func<IEnumerable<ConsumeResult<byte[], byte[]>>> read)
    {
        using IEnumerator<ConsumeResult<byte[], byte[]>> records = Ask(partition, () => read().GetEnumerator());
        while (Ask(partition, records.MoveNext))
            yield return records.Current;
    }

    private static T Ask<T>(TopicPartition partition, Func<T> ask)
    {
        try
        {
            return ask();
        }
        catch (Exception away) when (away is IOException or UnauthorizedAccessException)
        {
            throw new KafkaException(new Error(ErrorCode.Local_TimedOut, string.Create(CultureInfo.InvariantCulture,
                $"What is archived of {partition.Topic}, partition {partition.Partition.Value}, cannot be read: {away.Message}")), away);
        }
    }
}
