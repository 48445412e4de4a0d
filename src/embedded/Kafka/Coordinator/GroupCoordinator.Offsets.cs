using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>OffsetCommit, TxnOffsetCommit, OffsetFetch, OffsetDelete, and the expiration of offsets.</summary>
internal sealed partial class GroupCoordinator
{
    private const int MaxMetadataLength = 4096;
    private const short BatchedFetchVersion = 8;
    private const short MemberEpochVersion = 9;
    private const short TopicIdVersion = 10;
    private static readonly TimeSpan ExpirationInterval = TimeSpan.FromMinutes(10);

    private readonly Dictionary<string, GroupOffsets> _offsets = [];
    private readonly Dictionary<long, HashSet<string>> _openGroups = [];

    public OffsetCommitResponse Commit(RequestContext context, OffsetCommitRequest request)
    {
        lock (_lock)
        {
            ErrorCode error = CheckCommit(request.GroupId, request.MemberId, request.GroupInstanceId, request.GenerationId, isTransactional: false, context.Version);
            var records = new List<CoordinatorRecord>();
            long expires = request.RetentionTimeMs >= 0 ? Now() + request.RetentionTimeMs : -1;
            var response = new OffsetCommitResponse
            {
                Topics = request.Topics.ConvertAll(topic =>
                {
                    string? name = context.Version >= TopicIdVersion ? _broker.Topics.Find(topic.TopicId)?.Name : topic.Name;
                    return new OffsetCommitResponse.TopicItem
                    {
                        Name = topic.Name,
                        TopicId = topic.TopicId,
                        Partitions = topic.Partitions.ConvertAll(p => new OffsetCommitResponse.TopicItem.PartitionItem
                        {
                            PartitionIndex = p.PartitionIndex,
                            ErrorCode = (short)(name is null ? ErrorCode.UnknownTopicId
                                : Decide(error, records, request.GroupId, new TopicPartition(name, p.PartitionIndex), p.CommittedOffset, p.CommittedLeaderEpoch, p.CommittedMetadata, expires)),
                        }),
                    };
                }),
            };
            if (error == ErrorCode.None && _groups.GetValueOrDefault(request.GroupId) is ClassicGroup group && group.Members.TryGetValue(request.MemberId, out ClassicMember? member))
                Touch(group, member);
            Commit(records);
            return response;
        }
    }

    public TxnOffsetCommitResponse CommitInTransaction(TxnOffsetCommitRequest request, ErrorCode producerError)
    {
        lock (_lock)
        {
            // Fencing by group generation (KIP-447): whoever lost the partition cannot move its offsets.
            ErrorCode error = producerError != ErrorCode.None ? producerError : CheckCommit(request.GroupId, request.MemberId, request.GroupInstanceId, request.GenerationId, isTransactional: true, MemberEpochVersion);
            var records = new List<CoordinatorRecord>();
            var response = new TxnOffsetCommitResponse
            {
                Topics = request.Topics.ConvertAll(topic => new TxnOffsetCommitResponse.TopicItem
                {
                    Name = topic.Name,
                    Partitions = topic.Partitions.ConvertAll(p => new TxnOffsetCommitResponse.TopicItem.PartitionItem
                    {
                        PartitionIndex = p.PartitionIndex,
                        ErrorCode = (short)Decide(error, records, request.GroupId, new TopicPartition(topic.Name, p.PartitionIndex), p.CommittedOffset, p.CommittedLeaderEpoch, p.CommittedMetadata, expires: -1),
                    }),
                }),
            };
            Commit(records, request.ProducerId, request.ProducerEpoch);
            return response;
        }
    }

    /// <summary>Ends the transaction of a producer: its offsets count, or never were.</summary>
    public ErrorCode EndTransaction(long producerId, short producerEpoch, bool commit, int coordinatorEpoch)
    {
        lock (_lock)
        {
            AppendResult appended = _log.AppendEndTransactionMarker(producerId, producerEpoch, commit, coordinatorEpoch);
            if (appended.Error == ErrorCode.None)
                ReplayMarker(producerId, commit);
            return appended.Error;
        }
    }

    public OffsetFetchResponse Fetch(RequestContext context, OffsetFetchRequest request)
    {
        lock (_lock)
        {
            if (context.Version >= BatchedFetchVersion)
            {
                return new OffsetFetchResponse
                {
                    Groups = request.Groups.ConvertAll(group =>
                    {
                        ErrorCode error = CheckFetch(group.GroupId, group.MemberId, group.MemberEpoch);
                        return new OffsetFetchResponse.Group
                        {
                            GroupId = group.GroupId,
                            ErrorCode = (short)error,
                            Topics = error != ErrorCode.None ? [] : context.Version >= TopicIdVersion ? FetchById(group, request.RequireStable) :
                                [.. Wanted(group.GroupId, group.Topics?.ConvertAll(t => (t.Name, t.PartitionIndexes))).Select(t => Fetch(group.GroupId, t.Topic, default, t.Partitions, request.RequireStable))],
                        };
                    }),
                };
            }

            return new OffsetFetchResponse
            {
                Topics = [.. Wanted(request.GroupId, request.Topics?.ConvertAll(t => (t.Name, t.PartitionIndexes))).Select(t => new OffsetFetchResponse.TopicItem
                {
                    Name = t.Topic,
                    Partitions = [.. t.Partitions.Select(p =>
                    {
                        (CommittedOffset offset, ErrorCode error) = Find(request.GroupId, new TopicPartition(t.Topic, p), request.RequireStable);
                        return new OffsetFetchResponse.TopicItem.PartitionItem { PartitionIndex = p, CommittedOffset = offset.Offset, CommittedLeaderEpoch = offset.LeaderEpoch, Metadata = offset.Metadata, ErrorCode = (short)error };
                    })],
                })],
            };
        }
    }

    public OffsetDeleteResponse DeleteOffsets(OffsetDeleteRequest request)
    {
        lock (_lock)
        {
            if (!_groups.TryGetValue(request.GroupId, out Group? group))
                return new OffsetDeleteResponse { ErrorCode = (short)ErrorCode.GroupIdNotFound };
            IReadOnlySet<string>? subscribed = group.IsEmpty ? new HashSet<string>() : group is ClassicGroup classic ? classic.SubscribedTopics() : ((ConsumerGroup)group).SubscribedTopics();
            if (subscribed is null)
                return new OffsetDeleteResponse { ErrorCode = (short)ErrorCode.NonEmptyGroup };
            var records = new List<CoordinatorRecord>();
            var response = new OffsetDeleteResponse
            {
                Topics = request.Topics.ConvertAll(topic => new OffsetDeleteResponse.TopicItem
                {
                    Name = topic.Name,
                    Partitions = topic.Partitions.ConvertAll(p =>
                    {
                        var partition = new TopicPartition(topic.Name, p.PartitionIndex);
                        ErrorCode error = subscribed.Contains(topic.Name) ? ErrorCode.GroupSubscribedToTopic : _broker.Logs.Get(partition) is null ? ErrorCode.UnknownTopicOrPartition : ErrorCode.None;
                        if (error == ErrorCode.None && _offsets.GetValueOrDefault(request.GroupId)?.Committed.ContainsKey(partition) == true)
                            records.Add(new CoordinatorRecord(KeyOf(request.GroupId, partition), null));
                        return new OffsetDeleteResponse.TopicItem.PartitionItem { PartitionIndex = p.PartitionIndex, ErrorCode = (short)error };
                    }),
                }),
            };
            Commit(records);
            return response;
        }
    }

    /// <summary>Forgets the offsets of a topic that was deleted.</summary>
    public void TopicDeleted(string topic)
    {
        void Forget() => Commit([.. _offsets.SelectMany(g => g.Value.Committed.Keys.Where(p => p.Topic == topic).Select(p => new CoordinatorRecord(KeyOf(g.Key, p), null)))]);
        lock (_lock)
        {
            try
            {
                Forget();
            }
            catch (KafkaStorageException)
            {
                _timer.Schedule(TimerKey("deleted", topic), TimeSpan.Zero, Forget); // it is tried until it succeeds
            }
        }
    }

    // Topics by their ids (KIP-848): one that is gone is told when it was asked for, and left out when everything was.
    private List<OffsetFetchResponse.Group.GroupTopic> FetchById(OffsetFetchRequest.Group group, bool requireStable) => group.Topics is { } asked
        ? asked.ConvertAll(t => Fetch(group.GroupId, _broker.Topics.Find(t.TopicId)?.Name, t.TopicId, t.PartitionIndexes, requireStable))
        : [.. Wanted(group.GroupId, null).Select(t => (Topic: _broker.Topics.Find(t.Topic), t.Partitions)).Where(t => t.Topic is not null).Select(t => Fetch(group.GroupId, t.Topic!.Name, t.Topic.Id, t.Partitions, requireStable))];

    private OffsetFetchResponse.Group.GroupTopic Fetch(string group, string? topic, Guid id, IEnumerable<int> partitions, bool requireStable) => new()
    {
        Name = topic ?? "",
        TopicId = id,
        Partitions = [.. partitions.Select(p =>
        {
            (CommittedOffset offset, ErrorCode error) = topic is null ? (CommittedOffset.None, ErrorCode.UnknownTopicId) : Find(group, new TopicPartition(topic, p), requireStable);
            return new OffsetFetchResponse.Group.GroupTopic.GroupPartition { PartitionIndex = p, CommittedOffset = offset.Offset, CommittedLeaderEpoch = offset.LeaderEpoch, Metadata = offset.Metadata, ErrorCode = (short)error };
        })],
    };

    private static OffsetCommitKey KeyOf(string group, TopicPartition partition) => new() { Group = group, Topic = partition.Topic, Partition = partition.Partition };

    private IEnumerable<CoordinatorRecord> OffsetTombstones(string group) =>
        _offsets.TryGetValue(group, out GroupOffsets? offsets) ? offsets.Committed.Keys.Select(p => new CoordinatorRecord(KeyOf(group, p), null)) : [];

    private IEnumerable<(string Topic, IEnumerable<int> Partitions)> Wanted(string group, List<(string Name, List<int> Partitions)>? topics) =>
        topics?.Select(t => (t.Name, (IEnumerable<int>)t.Partitions))
        ?? _offsets.GetValueOrDefault(group)?.Committed.Keys.Union(_offsets[group].Open.Values.SelectMany(o => o.Keys)).GroupBy(k => k.Topic).Select(g => (g.Key, g.Select(k => k.Partition)))
        ?? [];

    private (CommittedOffset Offset, ErrorCode Error) Find(string group, TopicPartition partition, bool requireStable)
    {
        if (!_offsets.TryGetValue(group, out GroupOffsets? offsets))
            return (CommittedOffset.None, ErrorCode.None);
        if (requireStable && offsets.IsUnstable(partition))
            return (CommittedOffset.None, ErrorCode.UnstableOffsetCommit);
        return (offsets.Committed.TryGetValue(partition, out CommittedOffset found) ? found : CommittedOffset.None, ErrorCode.None);
    }

    private ErrorCode Decide(ErrorCode error, List<CoordinatorRecord> records, string group, TopicPartition partition, long offset, int leaderEpoch, string? metadata, long expires)
    {
        if (error == ErrorCode.None)
            error = _broker.Logs.Get(partition) is null ? ErrorCode.UnknownTopicOrPartition : metadata?.Length > MaxMetadataLength ? ErrorCode.OffsetMetadataTooLarge : ErrorCode.None;
        if (error == ErrorCode.None)
            records.Add(new CoordinatorRecord(KeyOf(group, partition), new OffsetCommitValue { Offset = offset, LeaderEpoch = leaderEpoch, Metadata = metadata ?? "", CommitTimestamp = Now(), ExpireTimestamp = expires }));
        return error;
    }

    private ErrorCode CheckCommit(string id, string memberId, string? instanceId, int generation, bool isTransactional, short version)
    {
        if (id.Length == 0)
            return ErrorCode.InvalidGroupId;
        if (!_groups.TryGetValue(id, out Group? group))
        {
            if (generation >= 0)
                return ErrorCode.IllegalGeneration;
            // Offsets of consumers that assign partitions by themselves belong to no generation.
            _groups.Add(id, new ClassicGroup(id) { StateTimestamp = Now() });
            return ErrorCode.None;
        }

        if (group is ConsumerGroup consumers)
            return CheckMemberEpoch(consumers, memberId, generation, isTransactional, version);
        var classic = (ClassicGroup)group;
        if (generation < 0 && classic.State == ClassicState.Empty)
            return ErrorCode.None;
        if (generation < 0 && memberId.Length == 0 && instanceId is null)
            return isTransactional ? ErrorCode.None : ErrorCode.UnknownMemberId; // of a group with members only they commit
        ErrorCode error = classic.Validate(memberId, instanceId);
        return error != ErrorCode.None ? error
            : generation != classic.Generation ? ErrorCode.IllegalGeneration
            : classic.State == ClassicState.CompletingRebalance && !isTransactional ? ErrorCode.RebalanceInProgress
            : ErrorCode.None;
    }

    private ErrorCode CheckFetch(string id, string? memberId, int memberEpoch)
    {
        if (memberEpoch < 0 && memberId is null)
            return ErrorCode.None;
        if (_groups.GetValueOrDefault(id) is not ConsumerGroup consumers)
            return memberEpoch >= 0 && !_groups.ContainsKey(id) ? ErrorCode.GroupIdNotFound : ErrorCode.None;
        return consumers.Members.GetValueOrDefault(memberId ?? "") is not { } member ? ErrorCode.UnknownMemberId : CheckMemberEpoch(member, memberEpoch, isTransactional: false);
    }

    private void ScheduleExpiration() => _timer.Schedule(TimerKey("expiration", ""), ExpirationInterval, () =>
    {
        ExpireOffsets();
        ScheduleExpiration();
    });

    // Offsets age once their group has no members; a group without members and offsets goes.
    private void ExpireOffsets()
    {
        long now = Now();
        var records = new List<CoordinatorRecord>();
        foreach (Group group in _groups.Values.Where(g => g.IsEmpty))
        {
            GroupOffsets? offsets = _offsets.GetValueOrDefault(group.Id);
            TopicPartition[] expired = [.. (offsets?.Committed ?? []).Where(o => IsExpired(group, o.Value, now)).Select(o => o.Key).Where(p => !offsets!.IsUnstable(p))];
            records.AddRange(expired.Select(p => new CoordinatorRecord(KeyOf(group.Id, p), null)));
            bool pending = group is ClassicGroup { State: not ClassicState.Empty } or ClassicGroup { Pending.Count: > 0 };
            if (!pending && (offsets is null || (offsets.Open.Count == 0 && offsets.Committed.Count == expired.Length)))
                records.AddRange(GroupTombstones(group));
        }

        Commit(records);
    }

    private bool IsExpired(Group group, CommittedOffset offset, long now) => offset.ExpireTimestamp >= 0
        ? now >= offset.ExpireTimestamp
        : now - Math.Max(offset.CommitTimestamp, group.ProtocolType.Length > 0 ? group.StateTimestamp : 0) >= (long)_broker.Options.OffsetsRetention.TotalMilliseconds;
}
