using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Integration.Tests;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary>Where a subscription goes on when what it knew of is gone, or another.</summary>
public sealed class PositionTests : IAsyncLifetime
{
    private TestServers _servers = null!;
    private Mailroom _room = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);
        _room = new Mailroom(_servers);
    }

    public async ValueTask DisposeAsync()
    {
        _room?.Dispose();
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    // Kafka drops the offsets of a group seven days after its last member: the subscription handled everything again, or, from now on,
    // passed over what had come meanwhile.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Group_without_offsets_goes_on_from_the_subscriptions_own_topic(bool fromNow)
    {
        _room.From = fromNow ? SubscriptionStart.Now : SubscriptionStart.Beginning;
        await using (EventSourcedNode node = await _room.Start())
        {
            await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Credit("a", 2));
            (await _room.Handled(2)).ShouldBe([("a", 2), ("a", 3)]);
        }

        await _room.DeleteGroup();
        await using (EventSourcedNode meanwhile = await _room.StartWithout())
            await Mailroom.Send(meanwhile, Movement.Credit("a", 3));

        await using EventSourcedNode again = await _room.Start();
        await Mailroom.Send(again, Movement.Credit("a", 4));
        (await _room.Handled(2)).ShouldBe([("a", 4), ("a", 5)]);
    }

    [Fact]
    public async Task Offset_that_an_operator_has_moved_counts()
    {
        await using (EventSourcedNode node = await _room.Start())
        {
            await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Credit("a", 2));
            await _room.Handled(2);
        }

        await _room.MoveGroup(0);
        await using EventSourcedNode again = await _room.Start();
        (await _room.Handled(2)).ShouldBe([("a", 2), ("a", 3)]);
    }

    // A first node that had begun 'now' and handled nothing was taken over by one that began at a later 'now': what was appended between
    // them was never handled.
    [Fact]
    public async Task Subscription_from_now_on_begins_where_its_first_node_began_though_that_one_has_handled_nothing()
    {
        _room.From = SubscriptionStart.Now;
        await using (EventSourcedNode before = await _room.StartWithout())
            await Mailroom.Send(before, Movement.Open("a"), Movement.Credit("a", 1));
        await using (EventSourcedNode first = await _room.Start((_, token) =>
            Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token)))
            await Mailroom.Send(first, Movement.Credit("a", 2));

        await using EventSourcedNode second = await _room.Start();
        await Mailroom.Send(second, Movement.Credit("a", 3));
        (await _room.Handled(2)).ShouldBe([("a", 3), ("a", 4)]);
    }

    [Fact]
    public async Task Subscription_from_now_on_that_two_nodes_start_at_the_same_time_handles_all_that_is_appended_once_they_are_ready()
    {
        const int Accounts = 12;
        using var room = new Mailroom(_servers, partitions: 4) { From = SubscriptionStart.Now };
        await using (EventSourcedNode before = await room.StartWithout())
            await Mailroom.Send(before, Movement.Open("a"), Movement.Credit("a", 1));
        EventSourcedNode[] nodes = await Task.WhenAll(room.Start(), room.Start());
        await using EventSourcedNode one = nodes[0];
        await using EventSourcedNode two = nodes[1];
        for (int i = 0; i < Accounts; i++)
            await Mailroom.Send(nodes[i % 2], Movement.Open($"n{i}"), Movement.Credit($"n{i}", 1));
        (await room.Handled(Accounts)).Order().ShouldBe([.. Enumerable.Range(0, Accounts).Select(i => ($"n{i}", 2L)).Order()]);
    }

    // It began at the end of the log, and handled what was appended before that time.
    [Fact]
    public async Task Start_in_the_future_is_refused_where_the_subscription_is_new()
    {
        _room.From = SubscriptionStart.At(TimeProvider.System.GetUtcNow().AddHours(1));
        (await Should.ThrowAsync<InvalidInputException>(_room.Start())).Message.ShouldStartWith(
            "The subscription 'mailer' is new and starts at 2");
    }

    // The offsets of the topic before were taken for those of the new one, whose first events were passed over.
    [Fact]
    public async Task Events_topic_that_was_made_anew_halts_the_subscription_and_says_how_to_go_on()
    {
        await using (EventSourcedNode node = await _room.Start())
        {
            await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1));
            await _room.Handled(1);
        }

        await _room.MakeAgain(_room.Topics.Events, _room.Topics.Snapshots, _room.Topics.Commands);
        await using (EventSourcedNode node = await _room.Start())
        {
            string reason = await node.Subscriptions[0].Stops["account"].Any.WaitAsync(Cancellation);
            reason.ShouldContain("is another one than before");
            reason.ShouldContain($"delete the group {_room.Group} and the topic {_room.Ledger}");
            await Mailroom.Send(node, Movement.Open("b"), Movement.Credit("b", 1));
        }

        _room.Rest().ShouldBeEmpty();
        await _room.DeleteGroup();
        await _room.MakeAgain(_room.Ledger);
        await using EventSourcedNode anew = await _room.Start();
        (await _room.Handled(1)).ShouldBe([("b", 2)]);
    }

    // Parked aggregates would be forgotten, and their events passed over.
    [Fact]
    public async Task Subscriptions_topic_that_was_made_anew_halts_it()
    {
        _room.Poison["a"] = 0;
        await using (EventSourcedNode node = await _room.Start())
        {
            await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Open("b"), Movement.Credit("b", 1));
            await _room.Handled(1);
        }

        await _room.MakeAgain(_room.Ledger);
        await using EventSourcedNode again = await _room.Start();
        (await again.Subscriptions[0].Stops["account"].Any.WaitAsync(Cancellation)).ShouldContain("which aggregates are parked is lost");
    }

    [Fact]
    public async Task Subscriptions_topic_that_loses_data_is_refused_at_the_start_of_a_node()
    {
        TopicDeclaration.For(_room.Topics, 3, -1).Topics.Single(t => t.Name == _room.Ledger).Configs["cleanup.policy"].ShouldBe("compact");
        using (var provisioner = new TopicProvisioner(_servers.Addresses.KafkaConnection))
        {
            var careless = new TopicDeclaration([new TopicSpecification
            {
                Name = _room.Ledger,
                Partitions = 1,
                Configs = new Dictionary<string, string> { ["cleanup.policy"] = "delete" },
            }]);
            await provisioner.ApplyAsync(await provisioner.PlanAsync(careless, Cancellation), Cancellation);
        }

        InvalidInputException refused = await Should.ThrowAsync<InvalidInputException>(_room.Start());
        refused.Message.ShouldContain($"{_room.Ledger}: cleanup.policy is delete; it must be compact.");
    }

    // It ended the node, and with it the commands of all its aggregates.
    [Fact]
    public async Task Events_that_were_deleted_before_they_were_handled_halt_their_partition_and_not_the_node()
    {
        await using (EventSourcedNode node = await _room.Start())
        {
            await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1));
            await _room.Handled(1);
        }

        await using (EventSourcedNode meanwhile = await _room.StartWithout())
        {
            await Mailroom.Send(meanwhile, Movement.Credit("a", 2), Movement.Credit("a", 3));
            await _room.DeleteEvents(_room.Read().Position!.Next + 1);
            await using EventSourcedNode again = await _room.Start();
            (await again.Subscriptions[0].Stops["account"].Any.WaitAsync(Cancellation)).ShouldContain(
                "were deleted before it had handled them");
            again.Subscriptions[0].Completion.IsCompleted.ShouldBeFalse();
        }

        _room.Rest().ShouldBeEmpty();
    }
}
