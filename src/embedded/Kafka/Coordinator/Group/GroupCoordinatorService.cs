using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using KafkaEventSourcing.Embedded.Kafka.Server;

namespace KafkaEventSourcing.Embedded.Kafka.Coordinator;

/// <summary>
/// Groups of the classic protocol and of the consumer protocol (KIP-848), and committed offsets: what the requests of clients come to. What
/// must outlive a restart is decided as records of <c>__consumer_offsets</c>, written, and then applied, by the same code as at recovery;
/// who is about to join or to sync is known in memory only. Thread-safe.
/// </summary>
internal sealed class GroupCoordinatorService : IDisposable
{
    private const short BatchedLeaveVersion = 3;

    private readonly EmbeddedKafkaOptions _options;
    private readonly CoordinatorRuntime<GroupCoordinatorShard> _runtime;

    public GroupCoordinatorService(UnifiedLog log, Broker broker)
    {
        _options = broker.Options;
        _runtime = new CoordinatorRuntime<GroupCoordinatorShard>(
            log,
            broker.Time,
            broker.Logger,
            timer => new GroupCoordinatorShard(timer, broker.Options, broker.GroupConfigs, broker.Topics, broker.Logs, broker.Time));
    }

    public void Dispose() => _runtime.Dispose();

    /// <summary>Reads the log from its start; members have a full session from now on to come back.</summary>
    public void Startup() => _runtime.Load(GroupCoordinatorRecordSerde.Read);

    /// <summary>Answers who waits for a rebalance: it may last for minutes, and the broker would wait for those connections.</summary>
    public void Stop() => _runtime.Read(s => s.Groups.Stop());

    /// <summary>
    /// Another broker coordinates: it knows the groups by their records, and all members have a full session to come back.
    /// </summary>
    public void OnElected() => _runtime.Read(s => s.Groups.OnElected());

    public Task<JoinGroupResponse> JoinGroup(RequestContext context, JoinGroupRequest request)
    {
        Task<JoinGroupResponse> Refuse(ErrorCode error) =>
            Task.FromResult(new JoinGroupResponse { ErrorCode = (short)error, MemberId = request.MemberId, ProtocolName = "" });
        if (request.GroupId.Length == 0)
            return Refuse(ErrorCode.InvalidGroupId);
        var session = TimeSpan.FromMilliseconds(request.SessionTimeoutMs);
        if (session < _options.GroupMinSessionTimeout || session > _options.GroupMaxSessionTimeout)
            return Refuse(ErrorCode.InvalidSessionTimeout);
        if (request.MemberId.Length > 0 && request.GroupInstanceId is { Length: 0 })
            return Refuse(ErrorCode.InvalidRequest);
        return _runtime.Write(s => s.Groups.MaybeDeleteEmptyConsumerGroup(request.GroupId),
            s => s.Groups.ClassicGroupJoin(context, request));
    }

    public Task<SyncGroupResponse> SyncGroup(SyncGroupRequest request) => request.GroupId.Length == 0
        ? Task.FromResult(new SyncGroupResponse { ErrorCode = (short)ErrorCode.InvalidGroupId })
        : _runtime.Write(s => s.Groups.ClassicGroupSync(request));

    public HeartbeatResponse Heartbeat(HeartbeatRequest request) => _runtime.Read(s => s.Groups.ClassicGroupHeartbeat(request));

    public LeaveGroupResponse LeaveGroup(RequestContext context, LeaveGroupRequest request)
    {
        bool single = context.Version < BatchedLeaveVersion;
        List<LeaveGroupRequest.Member> leaving = single ? [new LeaveGroupRequest.Member { MemberId = request.MemberId }] : request.Members;
        if (_runtime.Write(s => s.Groups.ClassicGroupLeave(request.GroupId, leaving)) is not { } errors)
            return new LeaveGroupResponse { ErrorCode = (short)ErrorCode.UnknownMemberId };
        return new LeaveGroupResponse
        {
            ErrorCode = single ? (short)errors[0] : (short)ErrorCode.None,
            Members =
            [
                .. leaving.Zip(errors, (one, error) => new LeaveGroupResponse.Member
                {
                    MemberId = one.MemberId,
                    GroupInstanceId = one.GroupInstanceId,
                    ErrorCode = (short)error,
                }),
            ],
        };
    }

    public ConsumerGroupHeartbeatResponse ConsumerGroupHeartbeat(RequestContext context, ConsumerGroupHeartbeatRequest request) =>
        ConsumerGroupHandler.Validate(context, request) ?? _runtime.Write(s => s.Groups.ConsumerGroupHeartbeat(context, request));

    public ListGroupsResponse ListGroups(ListGroupsRequest request) => _runtime.Read(s => s.Descriptions.List(request));

    public DescribeGroupsResponse DescribeGroups(RequestContext context, DescribeGroupsRequest request) =>
        _runtime.Read(s => s.Descriptions.Describe(context.Version, request));

    public ConsumerGroupDescribeResponse ConsumerGroupDescribe(ConsumerGroupDescribeRequest request) =>
        _runtime.Read(s => s.Descriptions.Describe(request));

    public DeleteGroupsResponse DeleteGroups(DeleteGroupsRequest request) => _runtime.Write(s => s.DeleteGroups(request));

    public OffsetFetchResponse FetchOffsets(RequestContext context, OffsetFetchRequest request) =>
        _runtime.Read(s => s.Offsets.Fetch(context, request));

    public OffsetCommitResponse CommitOffsets(RequestContext context, OffsetCommitRequest request) =>
        _runtime.Write(s => s.Offsets.Commit(context, request));

    /// <summary>Commits offsets as part of a transaction; <paramref name="producerError"/> says what is wrong with its producer.</summary>
    public TxnOffsetCommitResponse CommitTransactionalOffsets(TxnOffsetCommitRequest request, ErrorCode producerError) =>
        _runtime.Write(s => s.Offsets.CommitInTransaction(request, producerError));

    public OffsetDeleteResponse DeleteOffsets(OffsetDeleteRequest request) => _runtime.Write(s => s.Offsets.Delete(request));

    /// <summary>Ends the transaction of a producer: its offsets count, or never were.</summary>
    public ErrorCode CompleteTransaction(long producerId, short producerEpoch, bool commit, int coordinatorEpoch) =>
        _runtime.CompleteTransaction(producerId, producerEpoch, commit, coordinatorEpoch);

    /// <summary>Forgets the offsets of a topic that was deleted.</summary>
    public void OnTopicDeleted(string topic) => _runtime.Write(s => s.OnTopicDeleted(topic));
}
