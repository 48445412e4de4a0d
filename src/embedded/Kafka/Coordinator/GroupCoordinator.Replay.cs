using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>What the records of <c>__consumer_offsets</c> mean: the same code at run time and at recovery.</summary>
internal sealed partial class GroupCoordinator
{
    private delegate T ReadMessage<out T>(ref KafkaReader reader, short version);

    /// <summary>Reads the log from its start; members have a full session from now on to come back.</summary>
    public void Load()
    {
        lock (_lock)
        {
            CoordinatorLog.Replay(_log, (batch, records) =>
            {
                if (batch.IsControl)
                {
                    // The key of a marker: version, then 0 for abort and 1 for commit.
                    if (batch.Commits is { } commits) // a marker that compaction emptied marks nothing any more
                        ReplayMarker(batch.ProducerId, commits);
                    return;
                }

                long producerId = batch.IsTransactional ? batch.ProducerId : -1;
                foreach (LogRecord record in records)
                    Replay(record, producerId);
            });
            foreach (ClassicGroup group in _groups.Values.OfType<ClassicGroup>())
            {
                foreach (ClassicMember member in group.Members.Values)
                    Touch(group, member);
            }

            foreach (ConsumerGroup group in _groups.Values.OfType<ConsumerGroup>())
            {
                foreach (ConsumerGroupMember member in group.Members.Values)
                {
                    Touch(group, member);
                    WatchRevocation(group, member);
                }
            }

            ScheduleExpiration();
        }
    }

    private void Replay(LogRecord record, long producerId)
    {
        if (record.Key is not { Length: >= sizeof(short) } keyBytes)
            return;
        short kind = new KafkaReader(keyBytes).ReadInt16();
        switch (kind)
        {
            case <= OffsetCommitKey.MaxVersion:
                Replay(Key(keyBytes, OffsetCommitKey.Read), Value(record, OffsetCommitValue.Read), producerId);
                break;
            case GroupMetadataKey.MaxVersion:
                Replay(Key(keyBytes, GroupMetadataKey.Read), Value(record, GroupMetadataValue.Read), producerId);
                break;
            case ConsumerGroupMetadataKey.MaxVersion:
                Replay(Key(keyBytes, ConsumerGroupMetadataKey.Read), Value(record, ConsumerGroupMetadataValue.Read), producerId);
                break;
            case ConsumerGroupPartitionMetadataKey.MaxVersion:
                Replay(Key(keyBytes, ConsumerGroupPartitionMetadataKey.Read), Value(record, ConsumerGroupPartitionMetadataValue.Read), producerId);
                break;
            case ConsumerGroupMemberMetadataKey.MaxVersion:
                Replay(Key(keyBytes, ConsumerGroupMemberMetadataKey.Read), Value(record, ConsumerGroupMemberMetadataValue.Read), producerId);
                break;
            case ConsumerGroupTargetAssignmentMetadataKey.MaxVersion:
                Replay(Key(keyBytes, ConsumerGroupTargetAssignmentMetadataKey.Read), Value(record, ConsumerGroupTargetAssignmentMetadataValue.Read), producerId);
                break;
            case ConsumerGroupTargetAssignmentMemberKey.MaxVersion:
                Replay(Key(keyBytes, ConsumerGroupTargetAssignmentMemberKey.Read), Value(record, ConsumerGroupTargetAssignmentMemberValue.Read), producerId);
                break;
            case ConsumerGroupCurrentMemberAssignmentKey.MaxVersion:
                Replay(Key(keyBytes, ConsumerGroupCurrentMemberAssignmentKey.Read), Value(record, ConsumerGroupCurrentMemberAssignmentValue.Read), producerId);
                break;
            case ConsumerGroupRegularExpressionKey.MaxVersion:
                Replay(Key(keyBytes, ConsumerGroupRegularExpressionKey.Read), Value(record, ConsumerGroupRegularExpressionValue.Read), producerId);
                break;
        }
    }

    private static T Key<T>(ReadOnlyMemory<byte> bytes, ReadMessage<T> read) => Versioned(bytes, read);

    private static T? Value<T>(LogRecord record, ReadMessage<T> read)
        where T : class => record.Value is { } bytes ? Versioned(bytes, read) : null;

    private static T Versioned<T>(ReadOnlyMemory<byte> bytes, ReadMessage<T> read)
    {
        var reader = new KafkaReader(bytes);
        return read(ref reader, reader.ReadInt16());
    }

    private void Replay(IKafkaRecord key, IKafkaRecord? value, long producerId)
    {
        switch (key)
        {
            case OffsetCommitKey offset:
                ReplayOffset(offset, (OffsetCommitValue?)value, producerId);
                break;
            case GroupMetadataKey classic:
                ReplayClassic(classic.Group, (GroupMetadataValue?)value);
                break;
            default:
                ReplayConsumer(key, value);
                break;
        }
    }

    private void ReplayOffset(OffsetCommitKey key, OffsetCommitValue? value, long producerId)
    {
        var partition = new TopicPartition(key.Topic, key.Partition);
        if (value is null)
        {
            if (_offsets.TryGetValue(key.Group, out GroupOffsets? kept) && kept.Committed.Remove(partition) && kept.IsEmpty)
                _offsets.Remove(key.Group);
            return;
        }

        // A group may be known by its offsets alone.
        if (!_groups.ContainsKey(key.Group))
            _groups.Add(key.Group, new ClassicGroup(key.Group));
        if (!_offsets.TryGetValue(key.Group, out GroupOffsets? offsets))
            _offsets.Add(key.Group, offsets = new GroupOffsets());
        var offset = new CommittedOffset(value.Offset, value.LeaderEpoch, value.Metadata, value.CommitTimestamp, value.ExpireTimestamp);
        if (producerId < 0)
        {
            offsets.Committed[partition] = offset;
            return;
        }

        if (!offsets.Open.TryGetValue(producerId, out Dictionary<TopicPartition, CommittedOffset>? open))
            offsets.Open.Add(producerId, open = []);
        open[partition] = offset;
        if (!_openGroups.TryGetValue(producerId, out HashSet<string>? groups))
            _openGroups.Add(producerId, groups = []);
        groups.Add(key.Group);
    }

    private void ReplayMarker(long producerId, bool commit)
    {
        if (!_openGroups.Remove(producerId, out HashSet<string>? groups))
            return;
        foreach (string id in groups)
        {
            if (!_offsets.TryGetValue(id, out GroupOffsets? offsets) || !offsets.Open.Remove(producerId, out Dictionary<TopicPartition, CommittedOffset>? open))
                continue;
            foreach ((TopicPartition partition, CommittedOffset offset) in commit ? open : [])
                offsets.Committed[partition] = offset;
            if (offsets.IsEmpty)
                _offsets.Remove(id);
        }
    }
}
