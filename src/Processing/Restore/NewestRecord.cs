using Confluent.Kafka;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>Finds the newest record of a kind in a partition, without reading what is far before it.</summary>
internal static class NewestRecord
{
    private const int FirstStep = 16; // a position, or a barrier, and the marker behind it
    private const int Growth = 16;

    /// <summary>What <paramref name="read"/> makes of the newest record of which it makes something; null: it does of none.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public static T? Find<T>(PartitionLogReader reader, TopicPartition partition, Func<ConsumeResult<byte[], byte[]>, T?> read,
        CancellationToken cancellationToken)
        where T : class
    {
        WatermarkOffsets bounds = reader.Bounds(partition, cancellationToken);
        long to = bounds.High.Value;
        for (long step = FirstStep; to > bounds.Low.Value; step *= Growth)
        {
            long from = Math.Max(bounds.Low.Value, to - step);
            T? newest = null;
            foreach (ConsumeResult<byte[], byte[]> record in reader.Read(partition, from, cancellationToken))
            {
                if (record.Offset.Value >= to)
                    break;
                if (read(record) is { } found)
                    newest = found;
            }

            if (newest is not null)
                return newest;
            to = from;
        }

        return null;
    }
}
