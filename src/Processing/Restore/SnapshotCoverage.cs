using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Processing;

/// <summary>
/// Up to which event the snapshots of partitions reach, as the log has it: those of barriers, or of event streams that keep them.
/// Thread-safe.
/// </summary>
/// <param name="connection">The cluster.</param>
/// <param name="topics">The topics of the aggregate type.</param>
/// <param name="serde">Reads the markers.</param>
/// <param name="streamSnapshots">The topic in which event streams keep the snapshots; null: barriers do.</param>
internal sealed class SnapshotCoverage(KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde, string? streamSnapshots)
{
    /// <summary>The first event offset of a partition that its snapshots do not cover; null: there are none. It blocks.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    /// <exception cref="HttpRequestException">The Schema Registry does not answer.</exception>
    public long? Of(int partition, CancellationToken cancellationToken)
    {
        (TopicPartition source, byte[] marker) = streamSnapshots is null
            ? (new TopicPartition(topics.Snapshots, partition), SnapshotReader.BarrierKey)
            : (new TopicPartition(streamSnapshots, partition), StreamSnapshotFormat.MarkKey);
        using PartitionLogReader reader = PartitionLogReader.ToEnd(connection, "coverage", waitsForOpen: false);
        try
        {
            // one without a value withdraws those before it
            byte[]? newest = NewestRecord.Find(reader, source, r => r.Message.Key.AsSpan().SequenceEqual(marker) ? r : null,
                cancellationToken)?.Message.Value;
            return newest is null ? null
                : streamSnapshots is null ? (serde.Decode(newest) as SnapshotBarrier)?.NextEventOffset
                : new StreamSnapshotFormat(serde.SchemaOf).Read(newest).EventOffset + 1;
        }
        catch (Exception foreign) when (foreign is UndecodableMessageException or AvroDecodeException or InvalidDataException)
        {
            return null; // nothing that a restore could use
        }
        catch (KafkaException missing) when (missing.Error.Code is ErrorCode.UnknownTopicOrPart or ErrorCode.Local_UnknownTopic
            or ErrorCode.Local_UnknownPartition)
        {
            return null;
        }
    }
}
