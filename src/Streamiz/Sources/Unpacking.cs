using Confluent.Kafka;
using Streamiz.Kafka.Net.Processors.Public;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Hands on the records of an internal topic, which come one by one or in <see cref="RecordBatch"/>es. Of one task.</summary>
internal sealed class Unpacking<T> : ITransformer<string, byte[], string, T>
    where T : class
{
    private readonly ISerDes<T>? _values;
    private ProcessorContext<string, T>? _context;

    /// <summary>Streamiz makes one of these, and never uses it.</summary>
    public Unpacking()
    {
    }

    /// <summary>Reads <paramref name="values"/>.</summary>
    public Unpacking(ISerDes<T> values) => _values = values;

    /// <inheritdoc/>
    public void Init(ProcessorContext<string, T> context) => _context = context;

    /// <inheritdoc/>
    public Record<string, T>? Process(Record<string, byte[]> record)
    {
        if (record.Headers is not RecordBatch batch)
        {
            Hand(record.TopicPartitionOffset.Topic, record.Key, record.Value);
            return null;
        }

        foreach (ConsumeResult<byte[], byte[]> single in batch.Records)
        {
            _context!.SetHeaders(single.Message.Headers);
            _context.ChangeTimestamp(single.Message.Timestamp.UnixTimestampMs);
            Hand(single.Topic, KeySerDes.Instance.Deserialize(single.Message.Key, default), single.Message.Value);
        }

        return null;
    }

    /// <inheritdoc/>
    public void Close()
    {
        // There is nothing to release.
    }

    private void Hand(string topic, string key, byte[] value) =>
        _context!.Forward(key, _values!.Deserialize(value, new SerializationContext(MessageComponentType.Value, topic)));
}
