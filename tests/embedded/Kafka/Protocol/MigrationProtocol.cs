using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>
/// A broker, a topic and a group for tests of the online migration of a group between the classic and the consumer protocol (KIP-848), one
/// request at a time.
/// </summary>
public abstract class MigrationProtocol : IAsyncLifetime
{
    private protected const string Sticky = "cooperative-sticky";
    private protected const int LongTimeoutMs = 60_000;
    private protected const sbyte BrokerType = 4;
    private protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private protected readonly string _consumer = Guid.CreateVersion7().ToString();
    private protected readonly string _directory = Directory.CreateTempSubdirectory("kafka-migration-").FullName;
    private protected EmbeddedKafka _kafka = null!;
    private protected RawClient _client = null!;
    private protected Guid _topic;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Start(new EmbeddedKafkaOptions());

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _kafka.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    private protected static void Until(Func<bool> reached, string otherwise)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!reached())
            (TimeProvider.System.GetElapsedTime(start) < Patience).ShouldBeTrue(otherwise);
    }

    private protected static ErrorCode Error(JoinGroupResponse response) => (ErrorCode)response.ErrorCode;

    private protected static ErrorCode Error(SyncGroupResponse response) => (ErrorCode)response.ErrorCode;

    private protected static string Text(IEnumerable<int> partitions) => string.Join(' ', partitions.Order());

    private protected static string? PartitionsOf(ConsumerGroupHeartbeatResponse response) =>
        response.Assignment is { } assignment ? Text(assignment.TopicPartitions.SelectMany(t => t.Partitions)) : null;

    private protected static string PartitionsOf(SyncGroupResponse response)
    {
        Error(response).ShouldBe(ErrorCode.None);
        var reader = new KafkaReader(response.Assignment);
        return Text(ConsumerProtocolAssignment.Read(ref reader, reader.ReadInt16()).AssignedPartitions.SelectMany(t => t.Partitions));
    }

    private protected static byte[] Assignment(List<int> partitions, byte[]? userData = null) =>
        Bytes(new ConsumerProtocolAssignment
        {
            AssignedPartitions = [new ConsumerProtocolAssignment.AssignedItem { Topic = "t", Partitions = partitions }],
            UserData = userData,
        }, 1);

    private protected static byte[] Bytes(IKafkaRecord record, short version)
    {
        using var writer = new KafkaWriter();
        writer.WriteInt16(version);
        record.Write(writer, version);
        return writer.Written.ToArray();
    }

    private protected async Task Start(EmbeddedKafkaOptions options)
    {
        _kafka = await EmbeddedKafka.StartAsync(options with { DataDirectory = _directory }, cancellationToken: Cancellation);
        _client = new RawClient(_kafka);
        if (_topic == default)
            _topic = Create("t");
    }

    private protected async Task Restart(EmbeddedKafkaOptions options)
    {
        _client.Dispose();
        await _kafka.DisposeAsync();
        await Start(options);
    }

    private protected Guid Create(string topic) =>
        _client.Ask<CreateTopicsRequest, CreateTopicsResponse>(new CreateTopicsRequest
        {
            Topics = [new CreateTopicsRequest.CreatableTopic { Name = topic, NumPartitions = 2, ReplicationFactor = 1 }],
        }, 7, CreateTopicsResponse.Read).Topics[0].TopicId;

    // A stable group in generation 1, whose one member has both partitions.
    private protected string ClassicGroup()
    {
        JoinGroupResponse joined = Join(Join("").MemberId);
        (Error(joined), joined.GenerationId).ShouldBe((ErrorCode.None, 1));
        PartitionsOf(Sync(joined.MemberId, 1, assignment: Assignment([0, 1]))).ShouldBe("0 1");
        return joined.MemberId;
    }

    private protected JoinGroupResponse Join(
        string member, List<int>? owned = null, string? instance = null, string type = "consumer", List<string>? protocols = null,
        List<string>? topics = null, int session = LongTimeoutMs, int rebalance = LongTimeoutMs, RawClient? client = null)
    {
        byte[] subscription = Bytes(new ConsumerProtocolSubscription
        {
            Topics = topics ?? ["t"],
            OwnedPartitions = owned is null ? [] : [new ConsumerProtocolSubscription.OwnedItem { Topic = "t", Partitions = owned }],
        }, 1);
        return (client ?? _client).Ask<JoinGroupRequest, JoinGroupResponse>(
            new JoinGroupRequest
            {
                GroupId = "g",
                MemberId = member,
                GroupInstanceId = instance,
                SessionTimeoutMs = session,
                RebalanceTimeoutMs = rebalance,
                ProtocolType = type,
                Protocols = (protocols ?? [Sticky, "range"]).ConvertAll(p =>
                    new JoinGroupRequest.Protocol { Name = p, Metadata = p == "malformed" ? new byte[] { 0 } : subscription }),
            }, 9, JoinGroupResponse.Read);
    }

    private protected SyncGroupResponse Sync(string member, int generation, string? instance = null, string type = "consumer",
        string protocol = Sticky, byte[]? assignment = null) =>
        _client.Ask<SyncGroupRequest, SyncGroupResponse>(
            new SyncGroupRequest
            {
                GroupId = "g",
                MemberId = member,
                GroupInstanceId = instance,
                GenerationId = generation,
                ProtocolType = type,
                ProtocolName = protocol,
                Assignments = assignment is null
                    ? []
                    : [new SyncGroupRequest.MemberAssignment { MemberId = member, Assignment = assignment }],
            }, 5, SyncGroupResponse.Read);

    private protected ErrorCode Heartbeat(string member, int generation, string? instance = null) =>
        (ErrorCode)_client.Ask<HeartbeatRequest, HeartbeatResponse>(new HeartbeatRequest
        {
            GroupId = "g",
            MemberId = member,
            GenerationId = generation,
            GroupInstanceId = instance,
        }, 4, HeartbeatResponse.Read).ErrorCode;

    private protected List<ErrorCode> Leave(params string[] members) =>
        _client.Ask<LeaveGroupRequest, LeaveGroupResponse>(new LeaveGroupRequest
        {
            GroupId = "g", Members = [.. members.Select(m => new LeaveGroupRequest.Member { MemberId = m })],
        }, 5, LeaveGroupResponse.Read).Members.ConvertAll(m => (ErrorCode)m.ErrorCode);

    private protected ConsumerGroupHeartbeatResponse Consume(
        int epoch, List<int>? owned = null, string? member = null, string? instance = null, List<string>? topics = null) =>
        _client.Ask<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(
            new ConsumerGroupHeartbeatRequest
            {
                GroupId = "g",
                MemberId = member ?? _consumer,
                InstanceId = instance,
                MemberEpoch = epoch,
                RebalanceTimeoutMs = epoch == 0 ? LongTimeoutMs : -1,
                SubscribedTopicNames = epoch == 0 ? topics ?? ["t"] : null,
                TopicPartitions = owned is not null
                    ? [new ConsumerGroupHeartbeatRequest.TopicItem { TopicId = _topic, Partitions = owned }]
                    : epoch == 0
                    ? []
                    : null,
            }, 1, ConsumerGroupHeartbeatResponse.Read);

    private protected ErrorCode Commit(string member, int generation, short version) =>
        (ErrorCode)_client.Ask<OffsetCommitRequest, OffsetCommitResponse>(
            new OffsetCommitRequest
            {
                GroupId = "g",
                MemberId = member,
                GenerationId = generation,
                Topics = [new OffsetCommitRequest.TopicItem
                {
                    Name = "t", Partitions = [new OffsetCommitRequest.TopicItem.PartitionItem { CommittedOffset = 1 }],
                }],
            }, version, OffsetCommitResponse.Read).Topics[0].Partitions[0].ErrorCode;

    private protected ErrorCode Fetch(string member, int epoch) =>
        (ErrorCode)_client.Ask<OffsetFetchRequest, OffsetFetchResponse>(new OffsetFetchRequest
        {
            Groups = [new OffsetFetchRequest.Group { GroupId = "g", MemberId = member, MemberEpoch = epoch, Topics = null }],
        }, 9, OffsetFetchResponse.Read).Groups[0].ErrorCode;

    private protected ListGroupsResponse.ListedGroup Listed() =>
        _client.Ask<ListGroupsRequest, ListGroupsResponse>(new ListGroupsRequest(), 5, ListGroupsResponse.Read).Groups.Single();

    private protected DescribeGroupsResponse.DescribedGroup DescribedClassic() =>
        _client.Ask<DescribeGroupsRequest, DescribeGroupsResponse>(new DescribeGroupsRequest { Groups = ["g"] }, 6,
            DescribeGroupsResponse.Read).Groups.Single();

    private protected List<(string Id, sbyte Type, int Epoch, string Assigned, string Target)> Members() =>
        _client.Ask<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(new ConsumerGroupDescribeRequest { GroupIds = ["g"] }, 1,
            ConsumerGroupDescribeResponse.Read).Groups.Single().Members
            .ConvertAll(m => (m.MemberId, m.MemberType, m.MemberEpoch, Text(m.Assignment.TopicPartitions.SelectMany(t => t.Partitions)),
                Text(m.TargetAssignment.TopicPartitions.SelectMany(t => t.Partitions))));
}
