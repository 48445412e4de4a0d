using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// A consumer that restores stores to the end of all that is in a changelog. Kafka answers a commit before its marker is in each partition,
/// and until then a reader of what is committed is given an end before the transaction: a store that was restored up to there would lack
/// what the committed offsets say is in it. What is open is waited for, as the position does not come to the end before.
/// </summary>
internal sealed class RestoringConsumer : DelegatingConsumer
{
    private readonly IAdminClient _admin;

    /// <summary>Restores by <paramref name="inner"/>, which reads what is committed.</summary>
    public RestoringConsumer(IConsumer<byte[], byte[]> inner)
    {
        Inner = inner;
        _admin = new DependentAdminClientBuilder(inner.Handle).Build();
    }

    /// <inheritdoc/>
    public override WatermarkOffsets QueryWatermarkOffsets(TopicPartition topicPartition, TimeSpan timeout)
    {
        WatermarkOffsets committed = base.QueryWatermarkOffsets(topicPartition, timeout);
        // On Streamiz' own thread, which waits for it as for the offsets above.
        long end = PartitionOffsets.ListAsync(_admin, [topicPartition], OffsetSpec.Latest(), timeout).GetAwaiter().GetResult()
            [topicPartition.Partition.Value];
        return new WatermarkOffsets(committed.Low, end);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _admin.Dispose();
        base.Dispose();
    }
}
