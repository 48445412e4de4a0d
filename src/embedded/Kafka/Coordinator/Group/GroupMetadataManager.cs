using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>The members of groups: finds the group that a request means, and has it decided by the protocol of that group.</summary>
internal sealed class GroupMetadataManager
{
    private readonly GroupTable _groups;
    private readonly ClassicGroupRebalance _rebalance;
    private readonly ClassicGroupHandler _classic;
    private readonly ConsumerGroupSessions _sessions;
    private readonly ConsumerGroupHandler _consumers;
    private readonly ClassicMemberHandler _classicMembers;

    public GroupMetadataManager(
        GroupTable groups, ICoordinatorTimer timer, EmbeddedKafkaOptions options, GroupConfigs configs, TopicStore topics,
        TimeProvider time)
    {
        _groups = groups;
        _rebalance = new ClassicGroupRebalance(timer, options, time);
        _classic = new ClassicGroupHandler(_rebalance, options, time);
        _sessions = new ConsumerGroupSessions(timer, groups, _rebalance, options, configs, topics, time);
        var assignment = new ConsumerGroupAssignment(timer, groups, topics, time);
        _consumers = new ConsumerGroupHandler(groups, assignment, _sessions, _rebalance, options, configs, topics, time);
        _classicMembers = new ClassicMemberHandler(assignment, _sessions, options, topics, time);
    }

    /// <summary>A consumer group without members may change its protocol: when members of the classic protocol come, it goes.</summary>
    public CoordinatorResult MaybeDeleteEmptyConsumerGroup(string id) =>
        _groups.Find(id) is ConsumerGroup { IsEmpty: true } group ? new CoordinatorResult([.. group.Tombstones()]) : CoordinatorResult.None;

    public CoordinatorResult<Task<JoinGroupResponse>> ClassicGroupJoin(RequestContext context, JoinGroupRequest request)
    {
        Group? found = _groups.Find(request.GroupId);
        if (found is ConsumerGroup consumers)
        {
            CoordinatorResult<JoinGroupResponse> joined = _classicMembers.Join(context, consumers, request);
            return joined.With(Task.FromResult(joined.Response));
        }

        if (found is null && request.MemberId.Length > 0)
        {
            var unknown = new JoinGroupResponse
            {
                ErrorCode = (short)ErrorCode.UnknownMemberId, MemberId = request.MemberId, ProtocolName = "",
            };
            return CoordinatorResult.None.With(Task.FromResult(unknown));
        }

        return _classic.Join(context, (ClassicGroup)_groups.GetOrCreate(request.GroupId), request);
    }

    public CoordinatorResult<Task<SyncGroupResponse>> ClassicGroupSync(SyncGroupRequest request) => _groups.Find(request.GroupId) switch
    {
        ConsumerGroup group => CoordinatorResult.None.With(Task.FromResult(_classicMembers.Sync(group, request))),
        ClassicGroup group => _classic.Sync(group, request),
        _ => CoordinatorResult.None.With(Task.FromResult(new SyncGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId })),
    };

    public HeartbeatResponse ClassicGroupHeartbeat(HeartbeatRequest request) => new()
    {
        ErrorCode = (short)(_groups.Find(request.GroupId) switch
        {
            ConsumerGroup group => _classicMembers.Heartbeat(group, request),
            ClassicGroup group => _classic.Heartbeat(group, request),
            _ => ErrorCode.UnknownMemberId,
        }),
    };

    /// <summary>One error for each member that leaves; null without such a group.</summary>
    public CoordinatorResult<List<ErrorCode>?> ClassicGroupLeave(string groupId, List<LeaveGroupRequest.Member> leaving)
    {
        CoordinatorResult<List<ErrorCode>>? left = _groups.Find(groupId) switch
        {
            ConsumerGroup group => _classicMembers.Leave(group, leaving),
            ClassicGroup group => _classic.Leave(group, leaving),
            _ => null,
        };
        return left is null ? CoordinatorResult.None.With((List<ErrorCode>?)null) : left.With((List<ErrorCode>?)left.Response);
    }

    public CoordinatorResult<ConsumerGroupHeartbeatResponse> ConsumerGroupHeartbeat(
        RequestContext context, ConsumerGroupHeartbeatRequest request) =>
        request.MemberEpoch is ConsumerGroupMember.Left or ConsumerGroupMember.LeftForNow
            ? _consumers.Leave(request)
            : _consumers.Heartbeat(context, request);

    /// <summary>A commit of offsets shows that a member of the classic protocol lives.</summary>
    public void RescheduleClassicGroupMemberHeartbeat(Group group, string memberId)
    {
        if (group is ClassicGroup classic && classic.Members.TryGetValue(memberId, out ClassicGroupMember? member))
            _rebalance.Touch(classic, member);
    }

    /// <summary>All members have a full session from now on to come back.</summary>
    public void OnLoaded()
    {
        foreach (ConsumerGroup group in _groups.Consumers)
        {
            foreach (ConsumerGroupMember member in group.Members.Values)
                _sessions.WatchRevocation(group, member);
        }

        OnElected();
    }

    /// <summary>
    /// Another broker coordinates: it knows the groups by their records, and all members have a full session to come back.
    /// </summary>
    public void OnElected()
    {
        foreach (ClassicGroup group in _groups.Classic)
            _rebalance.TouchAll(group);
        foreach (ConsumerGroup group in _groups.Consumers)
            _sessions.TouchAll(group);
    }

    /// <summary>Answers who waits for a rebalance: it may last for minutes, and the broker would wait for those connections.</summary>
    public void Stop() => _rebalance.Stop(_groups.Classic);
}
