using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>The online migration of a group between the classic and the consumer protocol (KIP-848), one request at a time.</summary>
public sealed class MigrationProtocolTests : IAsyncLifetime
{
    private const string Sticky = "cooperative-sticky";
    private const int LongTimeoutMs = 60_000;
    private const sbyte BrokerType = 4;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly string _consumer = Guid.CreateVersion7().ToString();
    private readonly string _directory = Directory.CreateTempSubdirectory("kafka-migration-").FullName;
    private EmbeddedKafka _kafka = null!;
    private RawClient _client = null!;
    private Guid _topic;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await Start(new EmbeddedKafkaOptions());

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _kafka.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void Classic_member_keeps_its_partitions_in_the_consumer_group_until_it_has_joined_again()
    {
        string classic = ClassicGroup();
        ConsumerGroupHeartbeatResponse joined = Consume(0);
        (joined.ErrorCode, joined.MemberEpoch, PartitionsOf(joined)).ShouldBe(((short)0, 2, ""));

        ListGroupsResponse.ListedGroup listed = Listed();
        (listed.GroupType, listed.GroupState, listed.ProtocolType).ShouldBe(("consumer", "Reconciling", "consumer"));
        DescribedClassic().ErrorCode.ShouldBe((short)ErrorCode.GroupIdNotFound);
        Members().ShouldBe([(classic, (sbyte)0, 1, "0 1", "0"), (_consumer, (sbyte)1, 2, "", "1")], ignoreOrder: true);

        Heartbeat(classic, 7).ShouldBe(ErrorCode.IllegalGeneration);
        Heartbeat(_consumer, 2).ShouldBe(ErrorCode.UnknownMemberId);
        Heartbeat(classic, 1).ShouldBe(ErrorCode.RebalanceInProgress);
        Error(Sync(classic, 1)).ShouldBe(ErrorCode.RebalanceInProgress);
        Error(Sync(classic, 2)).ShouldBe(ErrorCode.IllegalGeneration);

        // First it gives up one partition, in its old generation.
        JoinGroupResponse first = Join(classic, owned: [0, 1]);
        (Error(first), first.GenerationId, first.ProtocolType, first.ProtocolName, first.Leader, first.MemberId, first.Members.Count).ShouldBe((ErrorCode.None, 1, "consumer", Sticky, "", classic, 0));
        Error(Sync(classic, 1, protocol: "range")).ShouldBe(ErrorCode.InconsistentGroupProtocol);
        SyncGroupResponse kept = Sync(classic, 1);
        (Error(kept), kept.ProtocolName, PartitionsOf(kept)).ShouldBe((ErrorCode.None, Sticky, "0"));
        kept.Assignment.Span[..2].ToArray().ShouldBe([0, 1]); // the version of its subscription
        PartitionsOf(Consume(2)).ShouldBeNull();
        Heartbeat(classic, 1).ShouldBe(ErrorCode.RebalanceInProgress);

        // Then it comes to the new one.
        Join(classic, owned: [0]).GenerationId.ShouldBe(2);
        PartitionsOf(Sync(classic, 2)).ShouldBe("0");
        Heartbeat(classic, 2).ShouldBe(ErrorCode.None);
        PartitionsOf(Consume(2)).ShouldBe("1");
        Listed().GroupState.ShouldBe("Stable");
    }

    [Fact]
    public void Offsets_of_a_classic_member_are_committed_with_its_epoch_as_the_generation()
    {
        string classic = ClassicGroup();
        Consume(0);
        Commit(classic, 1, version: 8).ShouldBe(ErrorCode.None);
        Commit(classic, 2, version: 8).ShouldBe(ErrorCode.IllegalGeneration);
        Commit(_consumer, 2, version: 8).ShouldBe(ErrorCode.UnsupportedVersion);
        Commit(_consumer, 1, version: 9).ShouldBe(ErrorCode.StaleMemberEpoch);
        Commit(_consumer, 2, version: 9).ShouldBe(ErrorCode.None);
        Fetch(classic, 1).ShouldBe(ErrorCode.None);
        Fetch(classic, 2).ShouldBe(ErrorCode.IllegalGeneration);
        Fetch(_consumer, 1).ShouldBe(ErrorCode.StaleMemberEpoch);
    }

    [Fact]
    public void Classic_member_joins_a_consumer_group_and_waits_for_what_others_hold()
    {
        PartitionsOf(Consume(0)).ShouldBe("0 1");
        Error(Join("", type: "connect")).ShouldBe(ErrorCode.InconsistentGroupProtocol);
        Error(Join("stranger", instance: "i")).ShouldBe(ErrorCode.UnknownMemberId);
        JoinGroupResponse named = Join("");
        Error(named).ShouldBe(ErrorCode.MemberIdRequired);
        JoinGroupResponse joined = Join(named.MemberId);
        (Error(joined), joined.GenerationId).ShouldBe((ErrorCode.None, 2));
        PartitionsOf(Sync(joined.MemberId, 2)).ShouldBe("");
        Heartbeat(joined.MemberId, 2).ShouldBe(ErrorCode.None);
        Error(Join("", protocols: ["other"])).ShouldBe(ErrorCode.InconsistentGroupProtocol);

        PartitionsOf(Consume(1)).ShouldBe("0");
        Heartbeat(joined.MemberId, 2).ShouldBe(ErrorCode.None);
        Consume(1, owned: [0]).MemberEpoch.ShouldBe(2);
        Heartbeat(joined.MemberId, 2).ShouldBe(ErrorCode.RebalanceInProgress);
        Join(joined.MemberId).GenerationId.ShouldBe(2);
        PartitionsOf(Sync(joined.MemberId, 2)).ShouldBe("1");

        Leave(joined.MemberId).ShouldBe([ErrorCode.None]);
        ConsumerGroupHeartbeatResponse alone = Consume(2);
        (alone.MemberEpoch, PartitionsOf(alone)).ShouldBe((3, "0 1"));
    }

    [Fact]
    public void Static_classic_member_that_comes_back_has_what_it_had_and_fences_its_old_id()
    {
        Consume(0);
        string was = Join("", instance: "i").MemberId;
        Consume(1);
        Consume(1, owned: [0]);
        Join(was, instance: "i").GenerationId.ShouldBe(2);
        PartitionsOf(Sync(was, 2, instance: "i")).ShouldBe("1");

        JoinGroupResponse again = Join("", instance: "i");
        (Error(again), again.GenerationId).ShouldBe((ErrorCode.None, 2));
        again.MemberId.ShouldNotBe(was);
        PartitionsOf(Sync(again.MemberId, 2, instance: "i")).ShouldBe("1");
        Heartbeat(was, 2, "i").ShouldBe(ErrorCode.FencedInstanceId);
        Heartbeat(was, 2).ShouldBe(ErrorCode.UnknownMemberId);
        Error(Join(was, instance: "i")).ShouldBe(ErrorCode.FencedInstanceId);

        // As one of the consumer protocol it need not have left before.
        string next = Guid.CreateVersion7().ToString();
        ConsumerGroupHeartbeatResponse changed = Consume(0, member: next, instance: "i");
        (changed.ErrorCode, changed.MemberEpoch, PartitionsOf(changed)).ShouldBe(((short)0, 2, "1"));
        Members().ShouldBe([(_consumer, (sbyte)1, 2, "0", "0"), (next, (sbyte)1, 2, "1", "1")], ignoreOrder: true);
    }

    [Fact]
    public async Task Members_that_wait_for_a_rebalance_are_sent_to_join_the_consumer_group()
    {
        string first = ClassicGroup();
        string second = Join("").MemberId;
        using var other = new RawClient(_kafka);
        Task<JoinGroupResponse> joining = Task.Run(() => Join(second, client: other), Cancellation);
        Until(() => Heartbeat(first, 1) == ErrorCode.RebalanceInProgress, "the rebalance does not start");
        Consume(0).ErrorCode.ShouldBe((short)0);
        Error(await joining.WaitAsync(Patience, Cancellation)).ShouldBe(ErrorCode.RebalanceInProgress);
        Join(second).GenerationId.ShouldBe(2);
        Members().Select(m => (m.Id, m.Type)).ShouldBe([(first, (sbyte)0), (second, (sbyte)0), (_consumer, (sbyte)1)], ignoreOrder: true);
    }

    [Theory]
    [InlineData("connect", Sticky, false, "the group does not use the consumer embedded protocol")]
    [InlineData("consumer", "malformed", false, "the embedded consumer protocol is malformed")]
    [InlineData("consumer", Sticky, true, "an unsupported custom assignor is in use")]
    public void Group_that_cannot_be_converted_stays_what_it_is(string type, string protocol, bool userData, string reason)
    {
        JoinGroupResponse joined = Join(Join("", type: type, protocols: [protocol]).MemberId, type: type, protocols: [protocol]);
        Error(Sync(joined.MemberId, 1, type: type, protocol: protocol, assignment: Assignment([0, 1], userData ? [1] : null))).ShouldBe(ErrorCode.None);
        ConsumerGroupHeartbeatResponse refused = Consume(0);
        refused.ErrorCode.ShouldBe((short)ErrorCode.GroupIdNotFound);
        refused.ErrorMessage!.ShouldContain(reason);
        Heartbeat(joined.MemberId, 1).ShouldBe(ErrorCode.None);
        Listed().GroupType.ShouldBe("classic");
    }

    [Fact]
    public void Epoch_of_no_member_does_not_convert_a_classic_group()
    {
        string classic = ClassicGroup();
        Consume(1).ErrorCode.ShouldBe((short)ErrorCode.GroupIdNotFound);
        Consume(-1).ErrorCode.ShouldBe((short)ErrorCode.GroupIdNotFound);
        Heartbeat(classic, 1).ShouldBe(ErrorCode.None);
    }

    [Theory]
    [InlineData("leaves")]
    [InlineData("is removed")]
    [InlineData("is silent")]
    public async Task Group_is_classic_again_when_its_last_consumer_of_the_consumer_protocol(string goes)
    {
        if (goes == "is silent")
            await Restart(new EmbeddedKafkaOptions { ConsumerSessionTimeout = TimeSpan.FromMilliseconds(100) });
        string classic = ClassicGroup();
        Consume(0).MemberEpoch.ShouldBe(2);
        if (goes == "leaves")
            Consume(-1).ErrorCode.ShouldBe((short)0);
        else if (goes == "is removed")
            Leave(_consumer).ShouldBe([ErrorCode.None]);
        Until(() => Listed().GroupType == "classic", "the group stays a consumer group");

        DescribeGroupsResponse.DescribedGroup described = DescribedClassic();
        (described.GroupState, described.ProtocolType, described.Members.Single().MemberId).ShouldBe(("PreparingRebalance", "consumer", classic));
        Consume(-1).ErrorCode.ShouldBe((short)ErrorCode.GroupIdNotFound);
        Heartbeat(classic, 2).ShouldBe(ErrorCode.RebalanceInProgress);
        JoinGroupResponse joined = Join(classic, owned: [0, 1]);
        (joined.GenerationId, joined.Leader, joined.Members.Single().MemberId).ShouldBe((3, classic, classic));
        PartitionsOf(Sync(classic, 3, assignment: Assignment([0, 1]))).ShouldBe("0 1");
        Heartbeat(classic, 3).ShouldBe(ErrorCode.None);

        // And once more to the consumer protocol.
        Consume(0).MemberEpoch.ShouldBe(4);
        Heartbeat(classic, 3).ShouldBe(ErrorCode.RebalanceInProgress);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Static_classic_member_in_place_of_the_last_consumer_downgrades_the_group(bool subscribesToMore)
    {
        Create("more");
        string other = ClassicGroup();
        Consume(0, instance: "i");
        Join(other, owned: [0, 1]);
        Join(other, owned: [0]);
        Sync(other, 2);
        PartitionsOf(Consume(2, instance: "i")).ShouldBe("1");

        JoinGroupResponse joined = Join("", instance: "i", topics: subscribesToMore ? ["t", "more"] : ["t"]);
        Error(joined).ShouldBe(ErrorCode.None);
        DescribeGroupsResponse.DescribedGroup described = DescribedClassic();
        described.Members.Select(m => m.MemberId).ShouldBe([other, joined.MemberId], ignoreOrder: true);
        described.GroupState.ShouldBe(subscribesToMore ? "PreparingRebalance" : "Stable");
        if (subscribesToMore)
            return;
        joined.GenerationId.ShouldBe(2);
        PartitionsOf(Sync(joined.MemberId, 2, instance: "i")).ShouldBe("1");
        Heartbeat(other, 2).ShouldBe(ErrorCode.None);
    }

    [Theory]
    [InlineData(ConsumerGroupMigrationPolicy.Disabled, "disabled", false, false)]
    [InlineData(ConsumerGroupMigrationPolicy.Upgrade, "upgrade", true, false)]
    [InlineData(ConsumerGroupMigrationPolicy.Downgrade, "downgrade", false, true)]
    [InlineData(ConsumerGroupMigrationPolicy.Bidirectional, "bidirectional", true, true)]
    public async Task Policy_says_in_which_directions_groups_migrate(ConsumerGroupMigrationPolicy policy, string name, bool upgrades, bool downgrades)
    {
        new EmbeddedKafkaOptions().ConsumerGroupMigrationPolicy.ShouldBe(ConsumerGroupMigrationPolicy.Bidirectional);
        await Restart(new EmbeddedKafkaOptions { ConsumerGroupMigrationPolicy = policy });
        _client.Ask<DescribeConfigsRequest, DescribeConfigsResponse>(
            new DescribeConfigsRequest { Resources = [new DescribeConfigsRequest.Resource { ResourceType = BrokerType, ResourceName = "1", ConfigurationKeys = ["group.consumer.migration.policy"] }] }, 4, DescribeConfigsResponse.Read)
            .Results[0].Configs.Single().Value.ShouldBe(name);

        string classic = ClassicGroup();
        ConsumerGroupHeartbeatResponse consumer = Consume(0);
        Listed().GroupType.ShouldBe(upgrades ? "consumer" : "classic");
        if (!upgrades)
        {
            (consumer.ErrorCode, consumer.ErrorMessage).ShouldBe(((short)ErrorCode.GroupIdNotFound, "Cannot upgrade classic group g to consumer group because online upgrade is disabled."));
            Heartbeat(classic, 1).ShouldBe(ErrorCode.None);
            Leave(classic).ShouldBe([ErrorCode.None]);
            Consume(0).ErrorCode.ShouldBe((short)0); // of an empty group any may change the protocol
            classic = Join(Join("").MemberId).MemberId;
        }

        Consume(-1).ErrorCode.ShouldBe((short)0);
        Listed().GroupType.ShouldBe(downgrades ? "classic" : "consumer");
        if (downgrades)
            return;
        JoinGroupResponse joined = Join(classic);
        (Error(joined), joined.Leader).ShouldBe((ErrorCode.None, ""));
        PartitionsOf(Sync(classic, joined.GenerationId)).ShouldBe("0 1");
    }

    [Fact]
    public async Task Mixed_group_outlives_a_restart_of_the_broker_and_so_does_its_downgrade()
    {
        string classic = ClassicGroup();
        Consume(0, topics: ["t"]);
        Join(classic, owned: [0, 1]);
        List<(string, sbyte, int, string, string)> before = Members();
        await Restart(new EmbeddedKafkaOptions());
        Members().ShouldBe(before, ignoreOrder: true);
        PartitionsOf(Sync(classic, 1)).ShouldBe("0");
        Heartbeat(classic, 1).ShouldBe(ErrorCode.RebalanceInProgress);
        Join(classic, owned: [0]).GenerationId.ShouldBe(2);
        PartitionsOf(Consume(2)).ShouldBe("1");

        await Restart(new EmbeddedKafkaOptions());
        PartitionsOf(Sync(classic, 2)).ShouldBe("0");
        Consume(-1).ErrorCode.ShouldBe((short)0);
        await Restart(new EmbeddedKafkaOptions());
        DescribeGroupsResponse.DescribedGroup described = DescribedClassic();
        (described.GroupState, described.ProtocolData, described.Members.Single().MemberId).ShouldBe(("Stable", Sticky, classic));
        Heartbeat(classic, 2).ShouldBe(ErrorCode.None);
        Consume(0).MemberEpoch.ShouldBe(3);
    }

    [Theory]
    [InlineData("session")]
    [InlineData("join")]
    [InlineData("sync")]
    public void Classic_member_that_is_late_is_out_of_the_consumer_group(string deadline)
    {
        const int shortMs = 300;
        Consume(0);
        int session = deadline == "session" ? shortMs : LongTimeoutMs;
        int rebalance = deadline == "session" ? LongTimeoutMs : shortMs;
        string classic = Join(Join("").MemberId, session: session, rebalance: rebalance).MemberId;
        if (deadline != "sync")
            Sync(classic, 2);
        if (deadline == "join")
        {
            Consume(0, member: Guid.CreateVersion7().ToString());
            Until(() => Heartbeat(classic, 2) == ErrorCode.UnknownMemberId, "the member stays");
        }

        if (deadline == "sync")
            Until(() => Heartbeat(classic, 2) == ErrorCode.UnknownMemberId, "the member stays");
        Until(() => !Members().Exists(m => m.Id == classic), "the member stays");
        Listed().GroupType.ShouldBe("consumer");
    }

    [Fact]
    public async Task Classic_member_is_refused_by_a_full_group_and_with_a_subscription_that_cannot_be_read()
    {
        await Restart(new EmbeddedKafkaOptions { GroupMaxSize = 2 });
        Consume(0);
        Error(Join("malformed", protocols: ["malformed"])).ShouldBe(ErrorCode.UnknownServerError);
        string classic = Join(Join("").MemberId).MemberId;
        Error(Join("")).ShouldBe(ErrorCode.GroupMaxSizeReached);
        Error(Join(classic)).ShouldBe(ErrorCode.None);
        Members().Select(m => m.Id).ShouldBe([_consumer, classic], ignoreOrder: true);
    }

    [Fact]
    public void All_members_that_leave_at_once_leave_an_empty_consumer_group()
    {
        string classic = ClassicGroup();
        Consume(0);
        Leave(_consumer, classic, "stranger").ShouldBe([ErrorCode.None, ErrorCode.None, ErrorCode.UnknownMemberId]);
        (Listed().GroupType, Listed().GroupState).ShouldBe(("consumer", "Empty"));
        Error(Join("")).ShouldBe(ErrorCode.MemberIdRequired);
        Listed().GroupType.ShouldBe("classic");
    }

    // Kafka writes a tagged group that may be null with a byte before it.
    [Fact]
    public void Record_of_a_classic_member_has_the_bytes_that_Kafka_gives_it()
    {
        var record = new ConsumerGroupMemberMetadataValue { ClassicMember = new() { SessionTimeoutMs = 5, SupportedProtocols = [new() { Name = "r", Metadata = new byte[] { 9 } }] } };
        Convert.ToHexString(Bytes(record, 0)).ShouldBe("0000" + "0000010101" + "00" + "FFFFFFFF" + "00" + "01" + "000C01" + "00000005" + "02" + "0272" + "0209" + "00" + "00");
    }

    private static void Until(Func<bool> reached, string otherwise)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!reached())
            (TimeProvider.System.GetElapsedTime(start) < Patience).ShouldBeTrue(otherwise);
    }

    private static ErrorCode Error(JoinGroupResponse response) => (ErrorCode)response.ErrorCode;

    private static ErrorCode Error(SyncGroupResponse response) => (ErrorCode)response.ErrorCode;

    private static string Text(IEnumerable<int> partitions) => string.Join(' ', partitions.Order());

    private static string? PartitionsOf(ConsumerGroupHeartbeatResponse response) => response.Assignment is { } assignment ? Text(assignment.TopicPartitions.SelectMany(t => t.Partitions)) : null;

    private static string PartitionsOf(SyncGroupResponse response)
    {
        Error(response).ShouldBe(ErrorCode.None);
        var reader = new KafkaReader(response.Assignment);
        return Text(ConsumerProtocolAssignment.Read(ref reader, reader.ReadInt16()).AssignedPartitions.SelectMany(t => t.Partitions));
    }

    private static byte[] Assignment(List<int> partitions, byte[]? userData = null) =>
        Bytes(new ConsumerProtocolAssignment { AssignedPartitions = [new ConsumerProtocolAssignment.AssignedItem { Topic = "t", Partitions = partitions }], UserData = userData }, 1);

    private static byte[] Bytes(IKafkaRecord record, short version)
    {
        using var writer = new KafkaWriter();
        writer.WriteInt16(version);
        record.Write(writer, version);
        return writer.Written.ToArray();
    }

    private async Task Start(EmbeddedKafkaOptions options)
    {
        _kafka = await EmbeddedKafka.StartAsync(options with { DataDirectory = _directory }, cancellationToken: Cancellation);
        _client = new RawClient(_kafka);
        if (_topic == default)
            _topic = Create("t");
    }

    private async Task Restart(EmbeddedKafkaOptions options)
    {
        _client.Dispose();
        await _kafka.DisposeAsync();
        await Start(options);
    }

    private Guid Create(string topic) =>
        _client.Ask<CreateTopicsRequest, CreateTopicsResponse>(new CreateTopicsRequest { Topics = [new CreateTopicsRequest.CreatableTopic { Name = topic, NumPartitions = 2, ReplicationFactor = 1 }] }, 7, CreateTopicsResponse.Read).Topics[0].TopicId;

    // A stable group in generation 1, whose one member has both partitions.
    private string ClassicGroup()
    {
        JoinGroupResponse joined = Join(Join("").MemberId);
        (Error(joined), joined.GenerationId).ShouldBe((ErrorCode.None, 1));
        PartitionsOf(Sync(joined.MemberId, 1, assignment: Assignment([0, 1]))).ShouldBe("0 1");
        return joined.MemberId;
    }

    private JoinGroupResponse Join(
        string member, List<int>? owned = null, string? instance = null, string type = "consumer", List<string>? protocols = null, List<string>? topics = null, int session = LongTimeoutMs, int rebalance = LongTimeoutMs, RawClient? client = null)
    {
        byte[] subscription = Bytes(new ConsumerProtocolSubscription { Topics = topics ?? ["t"], OwnedPartitions = owned is null ? [] : [new ConsumerProtocolSubscription.OwnedItem { Topic = "t", Partitions = owned }] }, 1);
        return (client ?? _client).Ask<JoinGroupRequest, JoinGroupResponse>(
            new JoinGroupRequest
            {
                GroupId = "g",
                MemberId = member,
                GroupInstanceId = instance,
                SessionTimeoutMs = session,
                RebalanceTimeoutMs = rebalance,
                ProtocolType = type,
                Protocols = (protocols ?? [Sticky, "range"]).ConvertAll(p => new JoinGroupRequest.Protocol { Name = p, Metadata = p == "malformed" ? new byte[] { 0 } : subscription }),
            }, 9, JoinGroupResponse.Read);
    }

    private SyncGroupResponse Sync(string member, int generation, string? instance = null, string type = "consumer", string protocol = Sticky, byte[]? assignment = null) =>
        _client.Ask<SyncGroupRequest, SyncGroupResponse>(
            new SyncGroupRequest
            {
                GroupId = "g",
                MemberId = member,
                GroupInstanceId = instance,
                GenerationId = generation,
                ProtocolType = type,
                ProtocolName = protocol,
                Assignments = assignment is null ? [] : [new SyncGroupRequest.MemberAssignment { MemberId = member, Assignment = assignment }],
            }, 5, SyncGroupResponse.Read);

    private ErrorCode Heartbeat(string member, int generation, string? instance = null) =>
        (ErrorCode)_client.Ask<HeartbeatRequest, HeartbeatResponse>(new HeartbeatRequest { GroupId = "g", MemberId = member, GenerationId = generation, GroupInstanceId = instance }, 4, HeartbeatResponse.Read).ErrorCode;

    private List<ErrorCode> Leave(params string[] members) =>
        _client.Ask<LeaveGroupRequest, LeaveGroupResponse>(new LeaveGroupRequest { GroupId = "g", Members = [.. members.Select(m => new LeaveGroupRequest.Member { MemberId = m })] }, 5, LeaveGroupResponse.Read).Members.ConvertAll(m => (ErrorCode)m.ErrorCode);

    private ConsumerGroupHeartbeatResponse Consume(int epoch, List<int>? owned = null, string? member = null, string? instance = null, List<string>? topics = null) =>
        _client.Ask<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(
            new ConsumerGroupHeartbeatRequest
            {
                GroupId = "g",
                MemberId = member ?? _consumer,
                InstanceId = instance,
                MemberEpoch = epoch,
                RebalanceTimeoutMs = epoch == 0 ? LongTimeoutMs : -1,
                SubscribedTopicNames = epoch == 0 ? topics ?? ["t"] : null,
                TopicPartitions = owned is not null ? [new ConsumerGroupHeartbeatRequest.TopicItem { TopicId = _topic, Partitions = owned }] : epoch == 0 ? [] : null,
            }, 1, ConsumerGroupHeartbeatResponse.Read);

    private ErrorCode Commit(string member, int generation, short version) =>
        (ErrorCode)_client.Ask<OffsetCommitRequest, OffsetCommitResponse>(
            new OffsetCommitRequest
            {
                GroupId = "g",
                MemberId = member,
                GenerationId = generation,
                Topics = [new OffsetCommitRequest.TopicItem { Name = "t", Partitions = [new OffsetCommitRequest.TopicItem.PartitionItem { CommittedOffset = 1 }] }],
            }, version, OffsetCommitResponse.Read).Topics[0].Partitions[0].ErrorCode;

    private ErrorCode Fetch(string member, int epoch) =>
        (ErrorCode)_client.Ask<OffsetFetchRequest, OffsetFetchResponse>(new OffsetFetchRequest { Groups = [new OffsetFetchRequest.Group { GroupId = "g", MemberId = member, MemberEpoch = epoch, Topics = null }] }, 9, OffsetFetchResponse.Read).Groups[0].ErrorCode;

    private ListGroupsResponse.ListedGroup Listed() => _client.Ask<ListGroupsRequest, ListGroupsResponse>(new ListGroupsRequest(), 5, ListGroupsResponse.Read).Groups.Single();

    private DescribeGroupsResponse.DescribedGroup DescribedClassic() => _client.Ask<DescribeGroupsRequest, DescribeGroupsResponse>(new DescribeGroupsRequest { Groups = ["g"] }, 6, DescribeGroupsResponse.Read).Groups.Single();

    private List<(string Id, sbyte Type, int Epoch, string Assigned, string Target)> Members() =>
        _client.Ask<ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse>(new ConsumerGroupDescribeRequest { GroupIds = ["g"] }, 1, ConsumerGroupDescribeResponse.Read).Groups.Single().Members
            .ConvertAll(m => (m.MemberId, m.MemberType, m.MemberEpoch, Text(m.Assignment.TopicPartitions.SelectMany(t => t.Partitions)), Text(m.TargetAssignment.TopicPartitions.SelectMany(t => t.Partitions))));
}
