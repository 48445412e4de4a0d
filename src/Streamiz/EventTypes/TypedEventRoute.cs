using Confluent.Kafka;
using Streamiz.Kafka.Net;
using Streamiz.Kafka.Net.Processors;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Where a <see cref="TypedEvent"/> goes: to its topic, in the partition of the event. A class, as the methods of Streamiz that take
/// functions for this do not use the serdes that they are given.
/// </summary>
internal sealed class TypedEventRoute : ITopicNameExtractor<string, TypedEvent>, IStreamPartitioner<string, TypedEvent>
{
    /// <inheritdoc/>
    public string Extract(string key, TypedEvent value, IRecordContext recordContext) => value.Topic;

    /// <inheritdoc/>
    public void Initialize(IStreamConfig config)
    {
        // It needs no setting.
    }

    /// <inheritdoc/>
    public Partition Partition(string topic, string key, TypedEvent value, Partition sourcePartition, int numPartitions) => sourcePartition;
}
