using Confluent.Kafka;
using Streamiz.Kafka.Net.Processors.Public;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Hands on the records of an internal topic, which come one by one or in <see cref="RecordBatch"/>es. Of one task.</summary>
internal sealed class Unpacking<T> : ITransformer<string, byte[], string, T>
    where T : class
{
    private readonly ISerDes<T>? _values;
    private readonly StreamAssignment? _assignment;
    private ProcessorContext<string, T>? _context;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public Unpacking()
    {
    }

    /// <summary>Reads <paramref name="values"/>, and tells <paramref name="assignment"/> how far.</summary>
    public Unpacking(ISerDes<T> values, StreamAssignment assignment) => (_values, _assignment) = (values, assignment);

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, T> context) => _context = context;

    /// <inheritdoc/>
    public Record<string, T>? Process(Record<string, byte[]> record)
    {
        if (record.Headers is not RecordBatch batch)
        {
            Hand(record.TopicPartitionOffset, record.Key, record.Value);
            return null;
        }

        foreach (ConsumeResult<byte[], byte[]> single in batch.Records)
        {
            _context!.SetHeaders(single.Message.Headers);
            _context.ChangeTimestamp(single.Message.Timestamp.UnixTimestampMs);
            Hand(single.TopicPartitionOffset, KeySerDes.Instance.Deserialize(single.Message.Key, default), single.Message.Value);
        }

        return null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // There is nothing to release.
    }

    private void Hand(TopicPartitionOffset place, string key, byte[] value)
    {
        _context!.Forward(key, _values!.Deserialize(value, new SerializationContext(MessageComponentType.Value, place.Topic)));
        _assignment!.Processed(place.Topic, place.Partition.Value, place.Offset.Value + 1);
    }
}
