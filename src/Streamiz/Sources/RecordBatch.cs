using Confluent.Kafka;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Records of one partition that come to Streamiz as one, in the place of the headers, which is the one part of a record that Streamiz
/// hands on as the object that it got. Streamiz allocates 2.6 KB and works for some microseconds for each record that it takes from a
/// consumer, whatever the topology does with it; for a batch it does so once. Whoever reads the topic unpacks it:
/// <see cref="EventDecoder"/>, <see cref="Unpacking{T}"/>.
/// </summary>
/// <remarks>
/// The record around it has the offset of the last one, so that Streamiz commits behind the whole batch: no commit is in the middle of
/// one. It has the time of the first one, by which Streamiz chooses between the partitions of a task.
/// </remarks>
internal sealed class RecordBatch : Headers
{
    private readonly List<ConsumeResult<byte[], byte[]>> _records = [];

    /// <summary>The records, in the order of the log; at least one.</summary>
    public IReadOnlyList<ConsumeResult<byte[], byte[]>> Records => _records;

    /// <summary>Adds the next one.</summary>
    public void Add(ConsumeResult<byte[], byte[]> record) => _records.Add(record);

    /// <summary>The batch as a record. Its key is empty and not missing: Streamiz passes over records without one.</summary>
    public ConsumeResult<byte[], byte[]> Pack() => new()
    {
        Topic = _records[0].Topic,
        Partition = _records[0].Partition,
        Offset = _records[^1].Offset,
        LeaderEpoch = _records[^1].LeaderEpoch,
        Message = new Message<byte[], byte[]> { Key = [], Value = [], Timestamp = _records[0].Message.Timestamp, Headers = this },
    };
}
