using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Protocol;

/// <summary>Members of the classic protocol in a group that has come to the consumer protocol (KIP-848), one request at a time.</summary>
public sealed class MigrationProtocolTests : MigrationProtocol
{
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
        (Error(first), first.GenerationId, first.ProtocolType, first.ProtocolName, first.Leader, first.MemberId,
            first.Members.Count).ShouldBe((ErrorCode.None, 1, "consumer", Sticky, "", classic, 0));
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
}
