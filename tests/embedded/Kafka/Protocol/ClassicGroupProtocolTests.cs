using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Members of classic groups, one request at a time.</summary>
public sealed class ClassicGroupProtocolTests : RawBrokerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    protected override EmbeddedKafkaOptions Options => new() { GroupMaxSize = 2 };

    [Fact]
    public async Task Classic_member_gets_an_id_joins_and_is_told_of_stale_generations()
    {
        JoinGroupResponse named = Join("", 9);
        named.ErrorCode.ShouldBe((short)ErrorCode.MemberIdRequired);
        JoinGroupResponse joined = Join(named.MemberId, 9);
        (joined.ErrorCode, joined.GenerationId, joined.Leader, joined.Members.Count).ShouldBe(((short)0, 1, named.MemberId, 1));
        Sync(joined, joined.GenerationId + 1).ErrorCode.ShouldBe((short)ErrorCode.IllegalGeneration);
        SyncGroupResponse synced = Sync(joined, joined.GenerationId);
        (synced.ErrorCode, synced.Assignment.ToArray()[0]).ShouldBe(((short)0, (byte)42));
        Heartbeat(joined.MemberId, 1).ShouldBe(ErrorCode.None);
        Heartbeat(joined.MemberId, 7).ShouldBe(ErrorCode.IllegalGeneration);
        Heartbeat("stranger", 1).ShouldBe(ErrorCode.UnknownMemberId);
        Join("stranger", 9).ErrorCode.ShouldBe((short)ErrorCode.UnknownMemberId);
        Join("", 9, protocol: "other").ErrorCode.ShouldBe((short)ErrorCode.InconsistentGroupProtocol);

        // A second member starts a rebalance; the first one learns it by its heartbeat and joins again.
        string secondId = Join("", 9).MemberId;
        using var second = new RawClient(Kafka);
        Task<JoinGroupResponse> joining = Task.Run(() =>
            second.Ask<JoinGroupRequest, JoinGroupResponse>(JoinOf(secondId, "range"), 9, JoinGroupResponse.Read), Cancellation);
        long start = TimeProvider.System.GetTimestamp();
        while (Heartbeat(joined.MemberId, 1) != ErrorCode.RebalanceInProgress)
            (TimeProvider.System.GetElapsedTime(start) < Patience).ShouldBeTrue("the rebalance does not start");
        JoinGroupResponse rejoined = Join(joined.MemberId, 9);
        rejoined.GenerationId.ShouldBe(2);
        rejoined.Members.Count.ShouldBe(2);
        (await joining.WaitAsync(Patience, Cancellation)).Members.ShouldBeEmpty();

        // The group is full.
        Join(Join("", 9).MemberId, 9).ErrorCode.ShouldBe((short)ErrorCode.GroupMaxSizeReached);
    }

    // @platformatic/kafka's listGroups: the type is told as it comes, and was "Classic".
    [Fact]
    public void ListGroups_names_the_types_in_lower_case_as_Kafka_does()
    {
        Join("", 9).ErrorCode.ShouldBe((short)ErrorCode.MemberIdRequired);
        var joined = new ConsumerGroupHeartbeatRequest
        {
            GroupId = "new",
            MemberId = Guid.CreateVersion7().ToString(),
            RebalanceTimeoutMs = 10_000,
            SubscribedTopicNames = ["t"],
            TopicPartitions = [],
        };
        Client.Ask<ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse>(joined, 1, ConsumerGroupHeartbeatResponse.Read).ErrorCode
            .ShouldBe((short)ErrorCode.None);
        List<(string, string)> Groups(params List<string> types) =>
            Client.Ask<ListGroupsRequest, ListGroupsResponse>(new ListGroupsRequest { TypesFilter = types }, 5,
                ListGroupsResponse.Read).Groups.ConvertAll(g => (g.GroupId, g.GroupType));
        Groups("Consumer").ShouldBe([("new", "consumer")]);
        Groups().ShouldBe([("new", "consumer"), ("g", "classic")], ignoreOrder: true);
    }

    [Fact]
    public async Task Classic_members_outlive_a_restart_of_the_broker()
    {
        JoinGroupResponse joined = Join(Join("", 9).MemberId, 9);
        Sync(joined, 1).ErrorCode.ShouldBe((short)0);
        await Restart(Options);
        Heartbeat(joined.MemberId, 1).ShouldBe(ErrorCode.None);
        DescribeGroupsResponse.DescribedGroup described = Client.Ask<DescribeGroupsRequest, DescribeGroupsResponse>(
            new DescribeGroupsRequest { Groups = ["g", "none"] }, 6, DescribeGroupsResponse.Read).Groups[0];
        (described.GroupState, described.ProtocolData, described.Members.Single().MemberAssignment.ToArray()[0]).ShouldBe(
            ("Stable", "range", (byte)42));
    }

    [Fact]
    public void Offsets_of_a_stranger_are_refused_while_the_group_has_members()
    {
        Create("t");
        JoinGroupResponse joined = Join(Join("", 9).MemberId, 9);
        Sync(joined, 1);
        OffsetCommitRequest commit = new()
        {
            GroupId = "g",
            Topics = [new OffsetCommitRequest.TopicItem
            {
                Name = "t", Partitions = [new OffsetCommitRequest.TopicItem.PartitionItem { CommittedOffset = 5 }],
            }],
        };
        ErrorCode Commit() => (ErrorCode)Client.Ask<OffsetCommitRequest, OffsetCommitResponse>(commit, 9,
            OffsetCommitResponse.Read).Topics[0].Partitions[0].ErrorCode;
        Commit().ShouldBe(ErrorCode.UnknownMemberId);
        (commit.MemberId, commit.GenerationId) = (joined.MemberId, 1);
        Commit().ShouldBe(ErrorCode.None);
        commit.Topics[0].Partitions[0].CommittedMetadata = new string('x', 5_000);
        Commit().ShouldBe(ErrorCode.OffsetMetadataTooLarge);
        commit.Topics[0].Name = "missing";
        Commit().ShouldBe(ErrorCode.UnknownTopicOrPartition);
        var fetch = new OffsetFetchRequest { Groups = [new OffsetFetchRequest.Group { GroupId = "g", Topics = null },
            new OffsetFetchRequest.Group { GroupId = "nobody", Topics = null }] };
        OffsetFetchResponse fetched = Client.Ask<OffsetFetchRequest, OffsetFetchResponse>(fetch, 9, OffsetFetchResponse.Read);
        fetched.Groups[0].Topics[0].Partitions[0].CommittedOffset.ShouldBe(5);
        fetched.Groups[1].Topics.ShouldBeEmpty();
    }

    private static JoinGroupRequest JoinOf(string memberId, string protocol) => new()
    {
        GroupId = "g",
        MemberId = memberId,
        SessionTimeoutMs = 30_000,
        RebalanceTimeoutMs = 30_000,
        ProtocolType = "consumer",
        Protocols = [new JoinGroupRequest.Protocol { Name = protocol, Metadata = new byte[] { 0, 0, 0, 0, 0, 0 } }],
    };

    private JoinGroupResponse Join(string memberId, short version, string protocol = "range") =>
        Client.Ask<JoinGroupRequest, JoinGroupResponse>(JoinOf(memberId, protocol), version, JoinGroupResponse.Read);

    private SyncGroupResponse Sync(JoinGroupResponse joined, int generation) => Client.Ask<SyncGroupRequest, SyncGroupResponse>(
        new SyncGroupRequest
        {
            GroupId = "g",
            MemberId = joined.MemberId,
            GenerationId = generation,
            ProtocolType = "consumer",
            ProtocolName = "range",
            Assignments = [new SyncGroupRequest.MemberAssignment { MemberId = joined.MemberId, Assignment = new byte[] { 42 } }],
        }, 5, SyncGroupResponse.Read);

    private ErrorCode Heartbeat(string memberId, int generation) =>
        (ErrorCode)Client.Ask<HeartbeatRequest, HeartbeatResponse>(
            new HeartbeatRequest { GroupId = "g", MemberId = memberId, GenerationId = generation }, 4, HeartbeatResponse.Read).ErrorCode;
}
