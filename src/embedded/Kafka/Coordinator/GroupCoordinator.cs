using System.Text;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// Groups of the classic protocol and of the consumer protocol (KIP-848), and committed offsets. One lock orders everything, as Kafka's one event loop a shard does. What must outlive a restart
/// is decided as records of <c>__consumer_offsets</c>, written, and then replayed, by the same code as at recovery; who is about to join or to sync is known in memory only.
/// </summary>
internal sealed partial class GroupCoordinator : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Group> _groups = [];
    private readonly UnifiedLog _log;
    private readonly Broker _broker;
    private readonly CoordinatorTimer _timer;

    public GroupCoordinator(UnifiedLog log, Broker broker)
    {
        (_log, _broker) = (log, broker);
        _timer = new CoordinatorTimer(_lock, broker.Time, broker.Logger);
    }

    public void Dispose() => _timer.Dispose();

    public DescribeGroupsResponse Describe(RequestContext context, DescribeGroupsRequest request)
    {
        const short notFoundVersion = 6;
        lock (_lock)
        {
            return new DescribeGroupsResponse
            {
                Groups = request.Groups.ConvertAll(id =>
                {
                    int operations = request.IncludeAuthorizedOperations ? AuthorizedOperations.Group : AuthorizedOperations.NotAsked;
                    if (_groups.GetValueOrDefault(id) is not ClassicGroup group)
                    {
                        bool tells = context.Version >= notFoundVersion;
                        return new DescribeGroupsResponse.DescribedGroup
                        {
                            GroupId = id,
                            GroupState = nameof(ClassicState.Dead),
                            ErrorCode = (short)(tells ? ErrorCode.GroupIdNotFound : ErrorCode.None),
                            ErrorMessage = !tells ? null : _groups.ContainsKey(id) ? $"Group {id} is not a classic group." : $"Group {id} not found.",
                            AuthorizedOperations = operations,
                        };
                    }

                    bool stable = group.State == ClassicState.Stable;
                    return new DescribeGroupsResponse.DescribedGroup
                    {
                        GroupId = id,
                        GroupState = group.StateName,
                        ProtocolType = group.ProtocolType,
                        ProtocolData = stable ? group.Protocol ?? "" : "",
                        AuthorizedOperations = operations,
                        Members = [.. group.Members.Values.Select(m => new DescribeGroupsResponse.DescribedGroup.Member
                        {
                            MemberId = m.Id,
                            GroupInstanceId = m.InstanceId,
                            ClientId = m.ClientId,
                            ClientHost = m.ClientHost,
                            MemberMetadata = stable ? m.MetadataOf(group.Protocol) : [],
                            MemberAssignment = stable ? m.Assignment : [],
                        })],
                    };
                }),
            };
        }
    }

    public ListGroupsResponse List(ListGroupsRequest request)
    {
        lock (_lock)
        {
            return new ListGroupsResponse
            {
                Groups = [.. _groups.Values
                    .Where(g => request.StatesFilter.Count == 0 || request.StatesFilter.Contains(g.StateName, StringComparer.OrdinalIgnoreCase))
                    .Where(g => request.TypesFilter.Count == 0 || request.TypesFilter.Contains(g.Type, StringComparer.OrdinalIgnoreCase))
                    .Select(g => new ListGroupsResponse.ListedGroup { GroupId = g.Id, ProtocolType = g.ProtocolType, GroupState = g.StateName, GroupType = g.Type })],
            };
        }
    }

    public DeleteGroupsResponse Delete(DeleteGroupsRequest request)
    {
        lock (_lock)
        {
            return new DeleteGroupsResponse
            {
                Results = request.GroupsNames.ConvertAll(id =>
                {
                    ErrorCode error = !_groups.TryGetValue(id, out Group? group) ? ErrorCode.GroupIdNotFound : group.IsEmpty ? ErrorCode.None : ErrorCode.NonEmptyGroup;
                    if (error == ErrorCode.None)
                        Commit([.. OffsetTombstones(id), .. GroupTombstones(group!)]);
                    return new DeleteGroupsResponse.Result { GroupId = id, ErrorCode = (short)error };
                }),
            };
        }
    }

    private static string TimerKey(string kind, string group, string member = "") => new StringBuilder(kind).Append('\0').Append(group).Append('\0').Append(member).ToString();

    private static IEnumerable<CoordinatorRecord> GroupTombstones(Group group) => group is ConsumerGroup consumers
        ? ConsumerTombstones(consumers)
        : [new CoordinatorRecord(new GroupMetadataKey { Group = group.Id }, null)];

    private long Now() => _broker.Time.GetUtcNow().ToUnixTimeMilliseconds();

    // Writes what was decided, then makes it so.
    private void Commit(IReadOnlyList<CoordinatorRecord> records, long producerId = -1, short producerEpoch = -1)
    {
        CoordinatorLog.Append(_log, records, Now(), producerId, producerEpoch);
        foreach (CoordinatorRecord record in records)
            Replay(record.Key, record.Value, producerId);
    }
}
