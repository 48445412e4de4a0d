using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>
/// Which groups are converted between the classic and the consumer protocol, when, and how they are kept (KIP-848), one request at a time.
/// </summary>
public sealed class GroupConversionProtocolTests : MigrationProtocol
{
    [Theory]
    [InlineData("connect", Sticky, false, "the group does not use the consumer embedded protocol")]
    [InlineData("consumer", "malformed", false, "the embedded consumer protocol is malformed")]
    [InlineData("consumer", Sticky, true, "an unsupported custom assignor is in use")]
    public void Group_that_cannot_be_converted_stays_what_it_is(string type, string protocol, bool userData, string reason)
    {
        JoinGroupResponse joined = Join(Join("", type: type, protocols: [protocol]).MemberId, type: type, protocols: [protocol]);
        Error(Sync(joined.MemberId, 1, type: type, protocol: protocol, assignment: Assignment([0, 1], userData ? [1] : null))).ShouldBe(
            ErrorCode.None);
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
        (described.GroupState, described.ProtocolType, described.Members.Single().MemberId).ShouldBe(
            ("PreparingRebalance", "consumer", classic));
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
    public async Task Policy_says_in_which_directions_groups_migrate(
        ConsumerGroupMigrationPolicy policy, string name, bool upgrades, bool downgrades)
    {
        new EmbeddedKafkaOptions().ConsumerGroupMigrationPolicy.ShouldBe(ConsumerGroupMigrationPolicy.Bidirectional);
        await Restart(new EmbeddedKafkaOptions { ConsumerGroupMigrationPolicy = policy });
        _client.Ask<DescribeConfigsRequest, DescribeConfigsResponse>(
            new DescribeConfigsRequest
            {
                Resources = [new DescribeConfigsRequest.Resource
                {
                    ResourceType = BrokerType, ResourceName = "1", ConfigurationKeys = ["group.consumer.migration.policy"],
                }],
            }, 4, DescribeConfigsResponse.Read)
            .Results[0].Configs.Single().Value.ShouldBe(name);

        string classic = ClassicGroup();
        ConsumerGroupHeartbeatResponse consumer = Consume(0);
        Listed().GroupType.ShouldBe(upgrades ? "consumer" : "classic");
        if (!upgrades)
        {
            (consumer.ErrorCode, consumer.ErrorMessage).ShouldBe(
                ((short)ErrorCode.GroupIdNotFound, "Cannot upgrade classic group g to consumer group because online upgrade is disabled."));
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

    // Kafka writes a tagged group that may be null with a byte before it.
    [Fact]
    public void Record_of_a_classic_member_has_the_bytes_that_Kafka_gives_it()
    {
        var record = new ConsumerGroupMemberMetadataValue
        {
            ClassicMember = new() { SessionTimeoutMs = 5, SupportedProtocols = [new() { Name = "r", Metadata = new byte[] { 9 } }] },
        };
        Convert.ToHexString(Bytes(record, 0)).ShouldBe(
            "0000" + "0000010101" + "00" + "FFFFFFFF" + "00" + "01" + "000C01" + "00000005" + "02" + "0272" + "0209" + "00" + "00");
    }
}
