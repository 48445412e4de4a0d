using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;
using static KafkaEventSourcing.Embedded.Kafka.Coordinator.GroupCoordinatorRecordHelpers;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>Committed offsets: OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete, and the expiration of offsets.</summary>
internal sealed class OffsetMetadataManager(
    GroupTable groups, GroupMetadataManager members, EmbeddedKafkaOptions options, TopicStore topics, LogManager logs, TimeProvider time)
{
    private const int MaxMetadataLength = 4096;
    private const short BatchedFetchVersion = 8;
    private const short MemberEpochVersion = 9;
    private const short TopicIdVersion = 10;

    private readonly Dictionary<string, GroupOffsets> _offsets = [];
    private readonly Dictionary<long, HashSet<string>> _openGroups = [];

    public CoordinatorResult<OffsetCommitResponse> Commit(RequestContext context, OffsetCommitRequest request)
    {
        ErrorCode error = ValidateCommit(request.GroupId, request.MemberId, request.GroupInstanceId, request.GenerationId,
            isTransactional: false, context.Version);
        var records = new List<CoordinatorRecord>();
        long expires = request.RetentionTimeMs >= 0 ? Now() + request.RetentionTimeMs : -1;
        var response = new OffsetCommitResponse
        {
            Topics = request.Topics.ConvertAll(topic =>
            {
                string? name = context.Version >= TopicIdVersion ? topics.Find(topic.TopicId)?.Name : topic.Name;
                return new OffsetCommitResponse.TopicItem
                {
                    Name = topic.Name,
                    TopicId = topic.TopicId,
                    Partitions = topic.Partitions.ConvertAll(p => new OffsetCommitResponse.TopicItem.PartitionItem
                    {
                        PartitionIndex = p.PartitionIndex,
                        ErrorCode = (short)(name is null ? ErrorCode.UnknownTopicId
                            : Decide(error, records, request.GroupId, new TopicPartition(name, p.PartitionIndex), p.CommittedOffset,
                                p.CommittedLeaderEpoch, p.CommittedMetadata, expires)),
                    }),
                };
            }),
        };
        if (error == ErrorCode.None && groups.TryFind(request.GroupId, out Group? group))
            members.RescheduleClassicGroupMemberHeartbeat(group, request.MemberId);
        return new CoordinatorResult(records).With(response);
    }

    public CoordinatorResult<TxnOffsetCommitResponse> CommitInTransaction(TxnOffsetCommitRequest request, ErrorCode producerError)
    {
        // Fencing by group generation (KIP-447): whoever lost the partition cannot move its offsets.
        ErrorCode error = producerError != ErrorCode.None
            ? producerError
            : ValidateCommit(request.GroupId, request.MemberId, request.GroupInstanceId, request.GenerationId, isTransactional: true,
                MemberEpochVersion);
        var records = new List<CoordinatorRecord>();
        var response = new TxnOffsetCommitResponse
        {
            Topics = request.Topics.ConvertAll(topic => new TxnOffsetCommitResponse.TopicItem
            {
                Name = topic.Name,
                Partitions = topic.Partitions.ConvertAll(p => new TxnOffsetCommitResponse.TopicItem.PartitionItem
                {
                    PartitionIndex = p.PartitionIndex,
                    ErrorCode = (short)Decide(error, records, request.GroupId, new TopicPartition(topic.Name, p.PartitionIndex),
                        p.CommittedOffset, p.CommittedLeaderEpoch, p.CommittedMetadata, expires: -1),
                }),
            }),
        };
        return new CoordinatorResult(records) { ProducerId = request.ProducerId, ProducerEpoch = request.ProducerEpoch }.With(response);
    }

    public OffsetFetchResponse Fetch(RequestContext context, OffsetFetchRequest request)
    {
        if (context.Version >= BatchedFetchVersion)
        {
            return new OffsetFetchResponse
            {
                Groups = request.Groups.ConvertAll(group =>
                {
                    ErrorCode error = ValidateFetch(group.GroupId, group.MemberId, group.MemberEpoch);
                    return new OffsetFetchResponse.Group
                    {
                        GroupId = group.GroupId,
                        ErrorCode = (short)error,
                        Topics = error != ErrorCode.None
                            ? []
                            : context.Version >= TopicIdVersion
                            ? FetchById(group, request.RequireStable)
                            :
                            [.. Wanted(group.GroupId, group.Topics?.ConvertAll(t => (t.Name, t.PartitionIndexes))).Select(t =>
                                Fetch(group.GroupId, t.Topic, default, t.Partitions, request.RequireStable))],
                    };
                }),
            };
        }

        return new OffsetFetchResponse
        {
            Topics = [.. Wanted(request.GroupId, request.Topics?.ConvertAll(t => (t.Name, t.PartitionIndexes)))
                .Select(t => new OffsetFetchResponse.TopicItem
                {
                    Name = t.Topic,
                    Partitions = [.. t.Partitions.Select(p =>
                    {
                        (OffsetAndMetadata offset, ErrorCode error) = Find(request.GroupId, new TopicPartition(t.Topic, p),
                            request.RequireStable);
                        return new OffsetFetchResponse.TopicItem.PartitionItem
                        {
                            PartitionIndex = p,
                            CommittedOffset = offset.Offset,
                            CommittedLeaderEpoch = offset.LeaderEpoch,
                            Metadata = offset.Metadata,
                            ErrorCode = (short)error,
                        };
                    })],
                })],
        };
    }

    public CoordinatorResult<OffsetDeleteResponse> Delete(OffsetDeleteRequest request)
    {
        if (!groups.TryFind(request.GroupId, out Group? group))
            return CoordinatorResult.None.With(new OffsetDeleteResponse { ErrorCode = (short)ErrorCode.GroupIdNotFound });
        IReadOnlySet<string>? subscribed = group.IsEmpty ? new HashSet<string>() : group.SubscribedTopics();
        if (subscribed is null)
            return CoordinatorResult.None.With(new OffsetDeleteResponse { ErrorCode = (short)ErrorCode.NonEmptyGroup });
        var records = new List<CoordinatorRecord>();
        var response = new OffsetDeleteResponse
        {
            Topics = request.Topics.ConvertAll(topic => new OffsetDeleteResponse.TopicItem
            {
                Name = topic.Name,
                Partitions = topic.Partitions.ConvertAll(p =>
                {
                    var partition = new TopicPartition(topic.Name, p.PartitionIndex);
                    ErrorCode error = subscribed.Contains(topic.Name)
                        ? ErrorCode.GroupSubscribedToTopic
                        : logs.Get(partition) is null
                        ? ErrorCode.UnknownTopicOrPartition
                        : ErrorCode.None;
                    if (error == ErrorCode.None && _offsets.GetValueOrDefault(request.GroupId)?.Committed.ContainsKey(partition) == true)
                        records.Add(OffsetCommitTombstone(request.GroupId, partition));
                    return new OffsetDeleteResponse.TopicItem.PartitionItem { PartitionIndex = p.PartitionIndex, ErrorCode = (short)error };
                }),
            }),
        };
        return new CoordinatorResult(records).With(response);
    }

    /// <summary>The records that delete the offsets of a group.</summary>
    public IEnumerable<CoordinatorRecord> Tombstones(string group) =>
        _offsets.TryGetValue(group, out GroupOffsets? offsets) ? offsets.Committed.Keys.Select(p => OffsetCommitTombstone(group, p)) : [];

    /// <summary>The records that delete the offsets of a topic.</summary>
    public IReadOnlyList<CoordinatorRecord> TopicTombstones(string topic) =>
        [.. _offsets.SelectMany(g => g.Value.Committed.Keys.Where(p => p.Topic == topic).Select(p => OffsetCommitTombstone(g.Key, p)))];

    /// <summary>Adds the records that delete the expired offsets of a group; whether it has no others.</summary>
    public bool Expire(Group group, List<CoordinatorRecord> records)
    {
        if (!_offsets.TryGetValue(group.Id, out GroupOffsets? offsets))
            return true;
        long now = Now();
        TopicPartition[] expired = [.. offsets.Committed.Where(o => IsExpired(group, o.Value, now) && !offsets.IsUnstable(o.Key)).Select(
            o => o.Key)];
        records.AddRange(expired.Select(p => OffsetCommitTombstone(group.Id, p)));
        return offsets.Open.Count == 0 && offsets.Committed.Count == expired.Length;
    }

    public void Replay(OffsetCommitKey key, OffsetCommitValue? value, long producerId)
    {
        var partition = new TopicPartition(key.Topic, key.Partition);
        if (value is null)
        {
            if (_offsets.TryGetValue(key.Group, out GroupOffsets? kept) && kept.Committed.Remove(partition) && kept.IsEmpty)
                _offsets.Remove(key.Group);
            return;
        }

        // A group may be known by its offsets alone.
        groups.GetOrCreate(key.Group);
        if (!_offsets.TryGetValue(key.Group, out GroupOffsets? offsets))
            _offsets.Add(key.Group, offsets = new GroupOffsets());
        var offset = new OffsetAndMetadata(value.Offset, value.LeaderEpoch, value.Metadata, value.CommitTimestamp, value.ExpireTimestamp);
        if (producerId < 0)
        {
            offsets.Committed[partition] = offset;
            return;
        }

        if (!offsets.Open.TryGetValue(producerId, out Dictionary<TopicPartition, OffsetAndMetadata>? open))
            offsets.Open.Add(producerId, open = []);
        open[partition] = offset;
        if (!_openGroups.TryGetValue(producerId, out HashSet<string>? touched))
            _openGroups.Add(producerId, touched = []);
        touched.Add(key.Group);
    }

    public void ReplayEndTransactionMarker(long producerId, bool commit)
    {
        if (!_openGroups.Remove(producerId, out HashSet<string>? touched))
            return;
        foreach (string id in touched)
        {
            if (!_offsets.TryGetValue(id, out GroupOffsets? offsets)
                || !offsets.Open.Remove(producerId, out Dictionary<TopicPartition, OffsetAndMetadata>? open))
                continue;
            foreach ((TopicPartition partition, OffsetAndMetadata offset) in commit ? open : [])
                offsets.Committed[partition] = offset;
            if (offsets.IsEmpty)
                _offsets.Remove(id);
        }
    }

    // Topics by their ids (KIP-848): one that is gone is told when it was asked for, and left out when everything was.
    private List<OffsetFetchResponse.Group.GroupTopic> FetchById(OffsetFetchRequest.Group group, bool requireStable) =>
        group.Topics is { } asked
        ? asked.ConvertAll(t => Fetch(group.GroupId, topics.Find(t.TopicId)?.Name, t.TopicId, t.PartitionIndexes, requireStable))
        : [.. Wanted(group.GroupId, null).Select(t => (Topic: topics.Find(t.Topic), t.Partitions)).Where(t => t.Topic is not null).Select(
            t => Fetch(group.GroupId, t.Topic!.Name, t.Topic.Id, t.Partitions, requireStable))];

    private OffsetFetchResponse.Group.GroupTopic Fetch(
        string group, string? topic, Guid id, IEnumerable<int> partitions, bool requireStable) => new()
    {
        Name = topic ?? "",
        TopicId = id,
        Partitions = [.. partitions.Select(p =>
        {
            (OffsetAndMetadata offset, ErrorCode error) = topic is null
                ? (OffsetAndMetadata.None, ErrorCode.UnknownTopicId)
                : Find(group, new TopicPartition(topic, p), requireStable);
            return new OffsetFetchResponse.Group.GroupTopic.GroupPartition
            {
                PartitionIndex = p,
                CommittedOffset = offset.Offset,
                CommittedLeaderEpoch = offset.LeaderEpoch,
                Metadata = offset.Metadata,
                ErrorCode = (short)error,
            };
        })],
    };

    private IEnumerable<(string Topic, IEnumerable<int> Partitions)> Wanted(
        string group, List<(string Name, List<int> Partitions)>? asked) =>
        asked?.Select(t => (t.Name, (IEnumerable<int>)t.Partitions))
        ?? _offsets.GetValueOrDefault(group)?.Committed.Keys.Union(_offsets[group].Open.Values.SelectMany(o => o.Keys)).GroupBy(k =>
            k.Topic).Select(g => (g.Key, g.Select(k => k.Partition)))
        ?? [];

    private (OffsetAndMetadata Offset, ErrorCode Error) Find(string group, TopicPartition partition, bool requireStable)
    {
        if (!_offsets.TryGetValue(group, out GroupOffsets? offsets))
            return (OffsetAndMetadata.None, ErrorCode.None);
        if (requireStable && offsets.IsUnstable(partition))
            return (OffsetAndMetadata.None, ErrorCode.UnstableOffsetCommit);
        return (offsets.Committed.TryGetValue(partition, out OffsetAndMetadata found) ? found : OffsetAndMetadata.None, ErrorCode.None);
    }

    private ErrorCode Decide(ErrorCode error, List<CoordinatorRecord> records, string group, TopicPartition partition, long offset,
        int leaderEpoch, string? metadata, long expires)
    {
        if (error == ErrorCode.None)
            error = logs.Get(partition) is null
                ? ErrorCode.UnknownTopicOrPartition
                : metadata?.Length > MaxMetadataLength
                ? ErrorCode.OffsetMetadataTooLarge
                : ErrorCode.None;
        if (error == ErrorCode.None)
            records.Add(OffsetCommitRecord(group, partition, new OffsetAndMetadata(offset, leaderEpoch, metadata ?? "", Now(), expires)));
        return error;
    }

    private ErrorCode ValidateCommit(string id, string memberId, string? instanceId, int generation, bool isTransactional, short version)
    {
        if (id.Length == 0)
            return ErrorCode.InvalidGroupId;
        // Offsets of consumers that assign partitions by themselves belong to no generation.
        if (!groups.Contains(id) && generation >= 0)
            return ErrorCode.IllegalGeneration;
        return groups.GetOrCreate(id).ValidateOffsetCommit(memberId, instanceId, generation, isTransactional, version);
    }

    private ErrorCode ValidateFetch(string id, string? memberId, int memberEpoch) => memberEpoch < 0 && memberId is null ? ErrorCode.None
        : groups.TryFind(id, out Group? group) ? group.ValidateOffsetFetch(memberId, memberEpoch)
        : memberEpoch >= 0 ? ErrorCode.GroupIdNotFound
        : ErrorCode.None;

    private long Now() => time.GetUtcNow().ToUnixTimeMilliseconds();

    private bool IsExpired(Group group, OffsetAndMetadata offset, long now) => offset.ExpireTimestamp >= 0
        ? now >= offset.ExpireTimestamp
        : now - Math.Max(offset.CommitTimestamp, group.ProtocolType.Length > 0
            ? group.StateTimestamp
            : 0) >= (long)options.OffsetsRetention.TotalMilliseconds;
}
