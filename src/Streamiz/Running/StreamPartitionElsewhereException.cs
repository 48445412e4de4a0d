namespace KafkaEventSourcing.Streamiz;

/// <summary>What is asked for is in a partition that another process of the streams has: ask there, or run one process.</summary>
public sealed class StreamPartitionElsewhereException : Exception
{
    /// <summary>Names the partition.</summary>
    public StreamPartitionElsewhereException(string topic, int partition)
        : base($"Partition {partition} of {topic} is read by another process of these streams, which has its stores.") =>
        (Topic, Partition) = (topic, partition);

    /// <summary>The topic that is read.</summary>
    public string Topic { get; }

    /// <summary>The partition.</summary>
    public int Partition { get; }
}
