using Confluent.Kafka;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Where records of topics are read from, without leaving a trace: a cluster, or a file that was exported from one. The calls block.
/// Thread-safe.
/// </summary>
internal interface IRecordSource : IDisposable
{
    /// <summary>The schemas that the records were written with.</summary>
    IWriterSchemas Schemas { get; }

    /// <summary>The topics that there are.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    IReadOnlyCollection<string> Topics { get; }

    /// <summary>The partitions of a topic.</summary>
    /// <exception cref="KafkaException">The cluster does not answer, or does not have the topic.</exception>
    /// <exception cref="InvalidInputException">The file does not have the topic.</exception>
    IReadOnlyList<int> PartitionsOf(string topic);

    /// <summary>The first offset of a partition and its end, before what is not committed.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    WatermarkOffsets BoundsOf(TopicPartition partition, CancellationToken cancellationToken);

    /// <summary>Up to where a group has come in a topic, by partition; those alone in which it has committed.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    IReadOnlyDictionary<int, long> PositionsOf(string group, string topic);

    /// <summary>The committed records of a partition from <paramref name="fromOffset"/> on, in order, to the end that it has now.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition partition, long fromOffset, CancellationToken cancellationToken);
}
