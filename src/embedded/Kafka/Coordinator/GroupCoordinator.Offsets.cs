using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Committed offsets, in <c>__consumer_offsets</c> as Kafka keeps them. What is written is applied by the same code at run time and at recovery.</summary>
internal sealed partial class GroupCoordinator
{
    private const short KeyVersion = 1;
    private const short ValueVersion = 3;
    private const int ReadBytes = 1024 * 1024;

    /// <summary>Reads the log from its start.</summary>
    public void Load()
    {
        for (long offset = _log.LogStartOffset; offset < _log.LogEndOffset;)
        {
            byte[] records = _log.Read(offset, ReadBytes, readCommitted: false, minOne: true).Records;
            if (records.Length == 0)
                break;
            for (int at = 0; at < records.Length;)
            {
                var batch = new RecordBatch(records.AsSpan(at));
                Replay(records.AsMemory(at, batch.Size));
                offset = batch.LastOffset + 1;
                at += batch.Size;
            }
        }
    }

    public OffsetCommitResponse Commit(OffsetCommitRequest request)
    {
        Group group = _groups.GetOrAdd(request.GroupId, id => new Group(id));
        lock (group.Lock)
        {
            ErrorCode error = CheckCommit(group, request.MemberId, request.GroupInstanceId, request.GenerationId);
            if (error == ErrorCode.None)
                Write(group.Id, request.Topics.SelectMany(t => t.Partitions.Select(p => (new TopicPartition(t.Name, p.PartitionIndex), new CommittedOffset(p.CommittedOffset, p.CommittedLeaderEpoch, p.CommittedMetadata)))));
            return new OffsetCommitResponse
            {
                Topics = request.Topics.ConvertAll(t => new OffsetCommitResponse.TopicItem
                {
                    Name = t.Name,
                    Partitions = t.Partitions.ConvertAll(p => new OffsetCommitResponse.TopicItem.PartitionItem { PartitionIndex = p.PartitionIndex, ErrorCode = (short)error }),
                }),
            };
        }
    }

    public TxnOffsetCommitResponse CommitInTransaction(TxnOffsetCommitRequest request, ErrorCode producerError)
    {
        Group group = _groups.GetOrAdd(request.GroupId, id => new Group(id));
        lock (group.Lock)
        {
            ErrorCode error = producerError;
            // Fencing by group generation (KIP-447): whoever lost the partition cannot move its offsets.
            if (error == ErrorCode.None && (request.GenerationId >= 0 || request.MemberId.Length > 0))
                error = CheckMember(group, request.MemberId, request.GroupInstanceId, request.GenerationId, out _);
            if (error == ErrorCode.None)
            {
                Write(group.Id, request.Topics.SelectMany(t => t.Partitions.Select(p => (new TopicPartition(t.Name, p.PartitionIndex), new CommittedOffset(p.CommittedOffset, p.CommittedLeaderEpoch, p.CommittedMetadata)))),
                    request.ProducerId, request.ProducerEpoch);
            }

            return new TxnOffsetCommitResponse
            {
                Topics = request.Topics.ConvertAll(t => new TxnOffsetCommitResponse.TopicItem
                {
                    Name = t.Name,
                    Partitions = t.Partitions.ConvertAll(p => new TxnOffsetCommitResponse.TopicItem.PartitionItem { PartitionIndex = p.PartitionIndex, ErrorCode = (short)error }),
                }),
            };
        }
    }

    /// <summary>Ends the transaction of a producer: its offsets count, or never were.</summary>
    public void EndTransaction(long producerId, short producerEpoch, bool commit, int coordinatorEpoch)
    {
        _log.AppendEndTransactionMarker(producerId, producerEpoch, commit, coordinatorEpoch);
        ApplyMarker(producerId, commit);
    }

    public OffsetFetchResponse Fetch(OffsetFetchRequest request)
    {
        var response = new OffsetFetchResponse();
        Group? group = Find(request.GroupId);
        Dictionary<TopicPartition, CommittedOffset> offsets = [];
        HashSet<TopicPartition> unstable = [];
        if (group is not null)
        {
            lock (group.Lock)
            {
                offsets = new(group.Offsets);
                unstable = [.. group.TransactionalOffsets.Values.SelectMany(o => o.Keys)];
            }
        }

        IEnumerable<(string Topic, IEnumerable<int> Partitions)> wanted = request.Topics is { } topics
            ? topics.Select(t => (t.Name, (IEnumerable<int>)t.PartitionIndexes))
            : offsets.Keys.GroupBy(k => k.Topic).Select(g => (g.Key, g.Select(k => k.Partition)));
        foreach ((string topic, IEnumerable<int> partitions) in wanted)
        {
            var item = new OffsetFetchResponse.TopicItem { Name = topic };
            foreach (int partition in partitions)
            {
                var key = new TopicPartition(topic, partition);
                CommittedOffset offset = offsets.TryGetValue(key, out CommittedOffset found) ? found : new CommittedOffset(-1, -1, "");
                bool pending = request.RequireStable && unstable.Contains(key);
                item.Partitions.Add(new OffsetFetchResponse.TopicItem.PartitionItem
                {
                    PartitionIndex = partition,
                    CommittedOffset = pending ? -1 : offset.Offset,
                    CommittedLeaderEpoch = offset.LeaderEpoch,
                    Metadata = offset.Metadata,
                    ErrorCode = (short)(pending ? ErrorCode.UnstableOffsetCommit : ErrorCode.None),
                });
            }

            response.Topics.Add(item);
        }

        return response;
    }

    /// <summary>Forgets offsets of a group. The group's lock is held.</summary>
    public void DeleteOffsets(Group group, IReadOnlyList<TopicPartition> partitions)
    {
        if (partitions.Count == 0)
            return;
        byte[] batch = RecordBatchBuilder.Build([.. partitions.Select(p => ((ReadOnlyMemory<byte>?)KeyOf(group.Id, p), (ReadOnlyMemory<byte>?)null))], Now());
        Append(batch);
    }

    private long Now() => _time.GetUtcNow().ToUnixTimeMilliseconds();

    private static ErrorCode CheckCommit(Group group, string memberId, string? instanceId, int generation)
    {
        // Offsets of consumers that assign partitions by themselves belong to no generation.
        if (generation < 0 && group.Members.Count == 0)
            return ErrorCode.None;
        ErrorCode error = CheckMember(group, memberId, instanceId, generation, out _);
        return error == ErrorCode.None && group.State == GroupState.CompletingRebalance ? ErrorCode.RebalanceInProgress : error;
    }

    private static byte[] KeyOf(string group, TopicPartition partition)
    {
        using var writer = new KafkaWriter();
        writer.WriteInt16(KeyVersion);
        new OffsetCommitKey { Group = group, Topic = partition.Topic, Partition = partition.Partition }.Write(writer, KeyVersion);
        return writer.Written.ToArray();
    }

    private void Write(string group, IEnumerable<(TopicPartition Partition, CommittedOffset Offset)> offsets, long producerId = -1, short producerEpoch = -1)
    {
        var records = new List<(ReadOnlyMemory<byte>?, ReadOnlyMemory<byte>?)>();
        using var writer = new KafkaWriter();
        foreach ((TopicPartition partition, CommittedOffset offset) in offsets)
        {
            writer.Reset();
            writer.WriteInt16(ValueVersion);
            new OffsetCommitValue { Offset = offset.Offset, LeaderEpoch = offset.LeaderEpoch, Metadata = offset.Metadata ?? "", CommitTimestamp = Now() }.Write(writer, ValueVersion);
            records.Add((KeyOf(group, partition), writer.Written.ToArray()));
        }

        if (records.Count > 0)
            Append(RecordBatchBuilder.Build(records, Now(), producerId, producerEpoch, transactional: producerId >= 0));
    }

    private void Append(byte[] batch)
    {
        AppendResult appended = _log.Append(batch, isClient: false);
        if (appended.Error != ErrorCode.None)
            throw new InvalidOperationException($"The offsets cannot be written: {appended.Error} {appended.Message}");
        Replay(batch);
    }

    private void Replay(ReadOnlyMemory<byte> bytes)
    {
        var batch = new RecordBatch(bytes.ToArray());
        if (batch.IsControl)
        {
            ApplyMarker(batch.ProducerId, batch.Commits == true);
            return;
        }

        bool transactional = batch.IsTransactional;
        long producerId = batch.ProducerId;
        foreach (LogRecord record in RecordReader.Read(bytes))
        {
            if (record.Key is not { } keyBytes)
                continue;
            var reader = new KafkaReader(keyBytes);
            if (reader.ReadInt16() > KeyVersion)
                continue; // a record of another kind
            OffsetCommitKey key = OffsetCommitKey.Read(ref reader, KeyVersion);
            Group group = _groups.GetOrAdd(key.Group, id => new Group(id));
            var partition = new TopicPartition(key.Topic, key.Partition);
            if (record.Value is not { } valueBytes)
            {
                group.Offsets.Remove(partition);
                continue;
            }

            var valueReader = new KafkaReader(valueBytes);
            OffsetCommitValue value = OffsetCommitValue.Read(ref valueReader, valueReader.ReadInt16());
            var offset = new CommittedOffset(value.Offset, value.LeaderEpoch, value.Metadata);
            if (!transactional)
                group.Offsets[partition] = offset;
            else
                (group.TransactionalOffsets.TryGetValue(producerId, out Dictionary<TopicPartition, CommittedOffset>? open) ? open : group.TransactionalOffsets[producerId] = [])[partition] = offset;
        }
    }

    private void ApplyMarker(long producerId, bool commit)
    {
        foreach (Group group in _groups.Values)
        {
            lock (group.Lock)
            {
                if (!group.TransactionalOffsets.Remove(producerId, out Dictionary<TopicPartition, CommittedOffset>? offsets) || !commit)
                    continue;
                foreach ((TopicPartition partition, CommittedOffset offset) in offsets)
                    group.Offsets[partition] = offset;
            }
        }
    }
}
