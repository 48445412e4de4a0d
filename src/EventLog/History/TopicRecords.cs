using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.EventLog;

/// <summary>The records of a cluster's topics, with the schemas of its registry. It joins no group and writes nothing.</summary>
internal sealed class TopicRecords : IRecordSource
{
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(15);

    private readonly KafkaConnection _connection;
    private readonly string _name;
    private readonly IAdminClient _admin;
    private readonly Lazy<IReadOnlyCollection<string>> _topics;
    private PartitionLogReader? _idle; // of the last read, for the next

    /// <summary>The records of a cluster.</summary>
    /// <param name="connection">The cluster.</param>
    /// <param name="name">What brokers know the client as.</param>
    /// <param name="registry">The registry of the schemas; it stays the caller's.</param>
    public TopicRecords(KafkaConnection connection, string name, ISchemaRegistryClient registry)
    {
        (_connection, _name, Schemas) = (connection, name, new RegisteredSchemas(registry));
        _admin = connection.BuildAdmin();
        _topics = new Lazy<IReadOnlyCollection<string>>(() => [.. _admin.GetMetadata(RequestTimeout).Topics.Select(t => t.Topic)],
            LazyThreadSafetyMode.PublicationOnly);
    }

    /// <inheritdoc/>
    public IWriterSchemas Schemas { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Topics => _topics.Value;

    /// <inheritdoc/>
    public IReadOnlyList<int> PartitionsOf(string topic) => [.. TopicPartitions.Of(_admin, topic, RequestTimeout).Order()];

    /// <inheritdoc/>
    public WatermarkOffsets BoundsOf(TopicPartition partition, CancellationToken cancellationToken)
    {
        PartitionLogReader reader = Take();
        try
        {
            return reader.Bounds(partition, cancellationToken);
        }
        finally
        {
            Return(reader);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<int, long> PositionsOf(string group, string topic) =>
        GroupOffsets.Of(_admin, group, [.. PartitionsOf(topic).Select(p => new TopicPartition(topic, p))], RequestTimeout)
            .ToDictionary(p => p.Key.Partition.Value, p => p.Value);

    /// <inheritdoc/>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Read(TopicPartition partition, long fromOffset, CancellationToken cancellationToken)
    {
        PartitionLogReader reader = Take();
        try
        {
            foreach (ConsumeResult<byte[], byte[]> record in reader.Read(partition, fromOffset, cancellationToken))
                yield return record;
        }
        finally
        {
            Return(reader);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Interlocked.Exchange(ref _idle, null)?.Dispose();
        _admin.Dispose();
    }

    private PartitionLogReader Take() => Interlocked.Exchange(ref _idle, null) ?? PartitionLogReader.ToEnd(_connection, _name);

    private void Return(PartitionLogReader reader) => Interlocked.Exchange(ref _idle, reader)?.Dispose();
}
