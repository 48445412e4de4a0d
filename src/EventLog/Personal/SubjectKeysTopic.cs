using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// The topic in which an application keeps the keys of subjects: compacted, of one partition, so that all readers see one order.
/// Thread-safe.
/// </summary>
internal sealed class SubjectKeysTopic : IDisposable
{
    private readonly KafkaConnection _connection;
    private readonly TopicEncoder _encoder;
    private readonly IProducer<byte[], byte[]> _producer;
    private readonly TimeProvider _time;

    private SubjectKeysTopic(KafkaConnection connection, string name, AvroMessageSerde serde, TopicEncoder encoder, TimeProvider time)
    {
        (_connection, Partition, Serde, _encoder, _time) = (connection, new TopicPartition(name, 0), serde, encoder, time);
        _producer = new ProducerBuilder<byte[], byte[]>(connection.Producer())
            .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
    }

    public TopicPartition Partition { get; }

    public AvroMessageSerde Serde { get; }

    public static string NameOf(string application) => application + ".subject-keys";

    /// <summary>
    /// What it shall be. What was overwritten is gone from the disks of brokers two hours later: a segment is closed after one, and
    /// cleaned within one more.
    /// </summary>
    public static TopicDeclaration DeclarationOf(string application, short replicationFactor) => new([new TopicSpecification
    {
        Name = NameOf(application),
        Partitions = 1,
        ReplicationFactor = replicationFactor,
        Configs = TopicSpecification.WithInSync(
            new Dictionary<string, string>
            {
                ["cleanup.policy"] = "compact",
                ["segment.ms"] = "3600000",
                ["max.compaction.lag.ms"] = "3600000",
                ["min.cleanable.dirty.ratio"] = "0.01",
            },
            TopicReplication.InSyncOf(replicationFactor)),
    }]);

    public static async Task<SubjectKeysTopic> OpenAsync(KafkaConnection connection, ISchemaRegistryClient registry, string application,
        TimeProvider time, CancellationToken cancellationToken)
    {
        AvroMessageSerde serde = AvroMessageSerde.Create(registry,
            [AvroRecordType.Of<Avro.Messages.SubjectKey>(), AvroRecordType.Of<SubjectKeysRead>()]);
        string name = NameOf(application);
        TopicEncoder encoder = await serde.PrepareAsync(name, [typeof(Avro.Messages.SubjectKey), typeof(SubjectKeysRead)],
            cancellationToken).ConfigureAwait(false);
        return new SubjectKeysTopic(connection, name, serde, encoder, time);
    }

    /// <summary>The records from <paramref name="offset"/> to the end.</summary>
    public IEnumerable<ConsumeResult<byte[], byte[]>> Read(long offset, CancellationToken cancellationToken) =>
        PartitionLogReader.Read(_connection, "subject-keys", Partition, offset, cancellationToken);

    /// <summary>Writes a key, or without <paramref name="wrapped"/> that it is destroyed, or that its subject is erased.</summary>
    /// <returns>The offset of the record.</returns>
    public Task<long> Write(string subject, byte[]? keyId, string masterKey, byte[]? wrapped, CancellationToken cancellationToken) =>
        Write(SubjectKeyTable.RecordKey(subject, keyId), new Avro.Messages.SubjectKey
        {
            Subject = subject,
            KeyId = keyId,
            MasterKey = masterKey,
            Wrapped = wrapped,
            Time = _time.GetUtcNow(),
        }, cancellationToken);

    /// <summary>Writes how far a node has acted; null: it has ended.</summary>
    public Task<long> WriteRead(string node, long? offset, CancellationToken cancellationToken) =>
        Write(SubjectKeyTable.NodeKey(node), offset is { } read
            ? new SubjectKeysRead { Node = node, Offset = read, Time = _time.GetUtcNow() }
            : null, cancellationToken);

    public void Dispose() => _producer.Dispose();

    private async Task<long> Write(byte[] key, IAvroRecord? value, CancellationToken cancellationToken)
    {
        byte[]? encoded = null;
        if (value is not null)
        {
            var buffer = new PooledBuffer();
            _encoder.Encode(value, buffer);
            encoded = buffer.WrittenSpan.ToArray();
            buffer.Reset();
        }

        DeliveryResult<byte[], byte[]> written = await _producer.ProduceAsync(Partition,
            new Message<byte[], byte[]> { Key = key, Value = encoded! }, cancellationToken).ConfigureAwait(false);
        return written.Offset.Value;
    }
}
