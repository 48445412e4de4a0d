using Confluent.Kafka;
using Streamiz.Kafka.Net.SerDes;

namespace KafkaEventSourcing.Streamiz;

/// <summary>Snapshots in Confluent's wire format. Thread-safe.</summary>
internal sealed class SnapshotSerDes(SnapshotFormat format, StreamSchema schema) : AbstractSerDes<Snapshot>
{
    /// <inheritdoc/>
    public override byte[]? Serialize(Snapshot? data, SerializationContext context) =>
        data is null ? null : EncodedBytes.Of(schema.Id, data, SnapshotFormat.Write);

    /// <inheritdoc/>
    /// <exception cref="StreamStateException">The bytes were written with another schema, or are none of ours.</exception>
    public override Snapshot Deserialize(byte[]? data, SerializationContext context) =>
        data is null ? null! : format.Read(schema.Check(data));
}
