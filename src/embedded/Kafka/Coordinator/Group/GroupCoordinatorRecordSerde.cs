using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Reads the records of <c>__consumer_offsets</c>.</summary>
internal static class GroupCoordinatorRecordSerde
{
    private delegate T ReadMessage<out T>(ref KafkaReader reader, short version);

    /// <summary>The record; null of a kind that is not known.</summary>
    public static CoordinatorRecord? Read(LogRecord record)
    {
        if (record.Key is not { Length: >= sizeof(short) } key)
            return null;
        return new KafkaReader(key).ReadInt16() switch
        {
            <= OffsetCommitKey.MaxVersion => Read(key, OffsetCommitKey.Read, record.Value, OffsetCommitValue.Read),
            GroupMetadataKey.MaxVersion => Read(key, GroupMetadataKey.Read, record.Value, GroupMetadataValue.Read),
            ConsumerGroupMetadataKey.MaxVersion => Read(key, ConsumerGroupMetadataKey.Read, record.Value, ConsumerGroupMetadataValue.Read),
            ConsumerGroupPartitionMetadataKey.MaxVersion =>
                Read(key, ConsumerGroupPartitionMetadataKey.Read, record.Value, ConsumerGroupPartitionMetadataValue.Read),
            ConsumerGroupMemberMetadataKey.MaxVersion =>
                Read(key, ConsumerGroupMemberMetadataKey.Read, record.Value, ConsumerGroupMemberMetadataValue.Read),
            ConsumerGroupTargetAssignmentMetadataKey.MaxVersion =>
                Read(key, ConsumerGroupTargetAssignmentMetadataKey.Read, record.Value, ConsumerGroupTargetAssignmentMetadataValue.Read),
            ConsumerGroupTargetAssignmentMemberKey.MaxVersion =>
                Read(key, ConsumerGroupTargetAssignmentMemberKey.Read, record.Value, ConsumerGroupTargetAssignmentMemberValue.Read),
            ConsumerGroupCurrentMemberAssignmentKey.MaxVersion =>
                Read(key, ConsumerGroupCurrentMemberAssignmentKey.Read, record.Value, ConsumerGroupCurrentMemberAssignmentValue.Read),
            ConsumerGroupRegularExpressionKey.MaxVersion =>
                Read(key, ConsumerGroupRegularExpressionKey.Read, record.Value, ConsumerGroupRegularExpressionValue.Read),
            _ => null,
        };
    }

    private static CoordinatorRecord? Read<TKey, TValue>(
        ReadOnlyMemory<byte> key, ReadMessage<TKey> readKey, ReadOnlyMemory<byte>? value, ReadMessage<TValue> readValue)
        where TKey : IKafkaRecord
        where TValue : class, IKafkaRecord =>
        new CoordinatorRecord(Versioned(key, readKey), value is { } bytes ? Versioned(bytes, readValue) : null);

    private static T Versioned<T>(ReadOnlyMemory<byte> bytes, ReadMessage<T> read)
    {
        var reader = new KafkaReader(bytes);
        return read(ref reader, reader.ReadInt16());
    }
}
