using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// What <c>__consumer_offsets</c> holds: groups and offsets. Requests are decided by the manager of the one or the other, records are
/// applied to it.
/// </summary>
internal sealed class GroupCoordinatorShard : ICoordinatorShard
{
    private static readonly TimeSpan ExpirationInterval = TimeSpan.FromMinutes(10);

    private readonly ICoordinatorTimer _timer;
    private readonly GroupTable _table;

    public GroupCoordinatorShard(
        ICoordinatorTimer timer, EmbeddedKafkaOptions options, GroupConfigs configs, TopicStore topics, LogManager logs, TimeProvider time)
    {
        _timer = timer;
        _table = new GroupTable(time);
        Groups = new GroupMetadataManager(_table, timer, options, configs, topics, time);
        Offsets = new OffsetMetadataManager(_table, Groups, options, topics, logs, time);
        Descriptions = new GroupDescriptions(_table);
    }

    public GroupMetadataManager Groups { get; }

    public OffsetMetadataManager Offsets { get; }

    public GroupDescriptions Descriptions { get; }

    public CoordinatorResult<DeleteGroupsResponse> DeleteGroups(DeleteGroupsRequest request)
    {
        var records = new List<CoordinatorRecord>();
        HashSet<string> deleted = [];
        List<DeleteGroupsResponse.Result> results = request.GroupsNames.ConvertAll(id =>
        {
            ErrorCode error = !_table.TryFind(id, out Group? group) || deleted.Contains(id) ? ErrorCode.GroupIdNotFound
                : group.IsEmpty ? ErrorCode.None
                : ErrorCode.NonEmptyGroup;
            if (error == ErrorCode.None)
            {
                records.AddRange([.. Offsets.Tombstones(id), .. group!.Tombstones()]);
                deleted.Add(id);
            }

            return new DeleteGroupsResponse.Result { GroupId = id, ErrorCode = (short)error };
        });
        return new CoordinatorResult<DeleteGroupsResponse>(records, new DeleteGroupsResponse { Results = results });
    }

    /// <summary>The offsets of a topic that was deleted go; it is tried until it succeeds.</summary>
    public CoordinatorResult OnTopicDeleted(string topic) => new(Offsets.TopicTombstones(topic))
    {
        Failed = () =>
        {
            _timer.Schedule(GroupDeadline.TopicDeleted(topic), TimeSpan.Zero, () => new CoordinatorResult(Offsets.TopicTombstones(topic)));
            return CoordinatorResult.None;
        },
    };

    public void Replay(CoordinatorRecord record, long producerId)
    {
        if (record.Key is OffsetCommitKey key)
            Offsets.Replay(key, (OffsetCommitValue?)record.Value, producerId);
        else
            _table.Replay(record.Key, record.Value);
    }

    public void ReplayEndTransactionMarker(long producerId, bool commit) => Offsets.ReplayEndTransactionMarker(producerId, commit);

    public void OnLoaded()
    {
        Groups.OnLoaded();
        ScheduleExpiration();
    }

    private void ScheduleExpiration() => _timer.Schedule(GroupDeadline.Expiration,
        ExpirationInterval, () => new CoordinatorResult(Expired())
    {
        Applied = () =>
        {
            ScheduleExpiration();
            return CoordinatorResult.None;
        },
    });

    // Offsets age once their group has no members; a group without members and offsets goes.
    private List<CoordinatorRecord> Expired()
    {
        var records = new List<CoordinatorRecord>();
        foreach (Group group in _table.All.Where(g => g.IsEmpty))
        {
            if (Offsets.Expire(group, records) && group.CanBeForgotten)
                records.AddRange(group.Tombstones());
        }

        return records;
    }
}
