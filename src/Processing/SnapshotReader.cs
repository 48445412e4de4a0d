using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>The newest barrier of one partition of the snapshot topic.</summary>
internal sealed class SnapshotReader
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);

    private readonly KafkaConnection _connection;
    private readonly TopicPartition _partition;
    private readonly AvroMessageSerde _serde;

    public SnapshotReader(KafkaConnection connection, TopicFamily topics, int partition, AvroMessageSerde serde)
    {
        (_connection, _serde) = (connection, serde);
        _partition = new TopicPartition(topics.Snapshots, partition);
    }

    /// <summary>The key of barrier markers. No aggregate id starts with a control character.</summary>
    public static byte[] BarrierKey { get; } = [0, .. "barrier"u8];

    /// <summary>The aggregates of the newest barrier and the first event offset that it does not cover; null when there is no barrier.</summary>
    public (IReadOnlyDictionary<string, AggregateSnapshot> Aggregates, long NextEventOffset)? Read(CancellationToken cancellationToken)
    {
        var covered = new Dictionary<string, AggregateSnapshot>();
        var parts = new Dictionary<string, Dictionary<int, AggregateSnapshot>>();
        long? next = null;
        foreach (ConsumeResult<byte[], byte[]> record in Records(cancellationToken))
        {
            if (record.Message.Value is null)
                covered.Remove(System.Text.Encoding.UTF8.GetString(record.Message.Key));
            else if (record.Message.Key.AsSpan().SequenceEqual(BarrierKey))
                next = ((SnapshotBarrier)_serde.Decode(record.Message.Value)).NextEventOffset;
            else if (SnapshotParts.TryReadKey(record.Message.Key, out byte[] aggregate, out int part))
                PartsOf(System.Text.Encoding.UTF8.GetString(aggregate))[part] = (AggregateSnapshot)_serde.Decode(record.Message.Value);
            else
                covered[System.Text.Encoding.UTF8.GetString(record.Message.Key)] = (AggregateSnapshot)_serde.Decode(record.Message.Value);
        }

        foreach ((string id, Dictionary<int, AggregateSnapshot> more) in parts)
        {
            if (covered.TryGetValue(id, out AggregateSnapshot? first))
                covered[id] = SnapshotParts.Join(first, id, more);
        }

        // A barrier and its snapshots are one transaction: whoever sees a snapshot sees the marker behind it.
        return next is { } offset ? (covered, offset) : null;

        Dictionary<int, AggregateSnapshot> PartsOf(string id)
        {
            if (!parts.TryGetValue(id, out Dictionary<int, AggregateSnapshot>? known))
                parts.Add(id, known = []);
            return known;
        }
    }

    private IEnumerable<ConsumeResult<byte[], byte[]>> Records(CancellationToken cancellationToken)
    {
        ConsumerConfig config = _connection.BoundedReader("snapshots");
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
        WatermarkOffsets bounds = consumer.QueryWatermarkOffsets(_partition, Timeout);
        if (bounds.High.Value <= bounds.Low.Value)
            yield break;
        consumer.Assign(new TopicPartitionOffset(_partition, bounds.Low));
        while (true)
        {
            ConsumeResult<byte[], byte[]> record = consumer.Consume(cancellationToken);
            if (record.IsPartitionEOF)
                yield break;
            yield return record;
        }
    }
}
