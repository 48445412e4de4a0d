using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Finds the newest position that a partition's owners have written to the snapshots topic, without reading what is before it.
/// </summary>
internal sealed partial class PositionReader
{
    private readonly KafkaConnection _connection;
    private readonly TopicPartition _partition;
    private readonly SchemaRegistryRetry _registry;
    private readonly ILogger _logger;
    private readonly Func<ConsumeResult<byte[], byte[]>, IAvroRecord> _decode;

    public PositionReader(PartitionContext context, int partition, SchemaRegistryRetry registry)
    {
        (_connection, _registry, _logger) = (context.Connection, registry, context.Logger);
        _decode = record => context.Serde.Decode(record.Message.Value);
        _partition = new TopicPartition(context.Topics.Snapshots, partition);
    }

    /// <summary>
    /// The newest position; null when nobody has written one, or a version of this software that writes none has made the newest barrier.
    /// </summary>
    public PartitionPosition? Read(CancellationToken cancellationToken)
    {
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_connection, "position");
        return NewestRecord.Find(reader, _partition, record => Decode(record, cancellationToken), cancellationToken) switch
        {
            SnapshotBarrier barrier => barrier.Position,
            PartitionPosition position => position,
            _ => null,
        };
    }

    private IAvroRecord? Decode(ConsumeResult<byte[], byte[]> record, CancellationToken cancellationToken)
    {
        if (record.Message.Value is null || !(IsKey(record, SnapshotReader.BarrierKey) || IsKey(record, SnapshotReader.PositionKey)))
            return null;
        try
        {
            IAvroRecord read = _registry.Read(record, _decode, cancellationToken);
            return read is SnapshotBarrier or PartitionPosition ? read : throw new InvalidCastException($"It is a {read.GetType().Name}.");
        }
        catch (Exception foreign) when (foreign is UndecodableMessageException or AvroDecodeException or InvalidCastException)
        {
            LogForeign(_logger, foreign, _partition.Topic, _partition.Partition.Value, record.Offset.Value);
            return null;
        }
    }

    private static bool IsKey(ConsumeResult<byte[], byte[]> record, byte[] key) => record.Message.Key.AsSpan().SequenceEqual(key);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The record {Topic} {Partition}@{Offset} should say how far its partition is decided, and cannot be read; the one "
            + "before it counts. Somebody else has written there")]
    private static partial void LogForeign(ILogger logger, Exception reason, string topic, int partition, long offset);
}
