using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Health;
using KafkaEventSourcing.Integration.Tests;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary>
/// An event that is not handled parks its aggregate, and nothing else; the events of that aggregate are handled later, in order.
/// </summary>
public sealed class ParkedAggregateTests : IAsyncLifetime
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

    // One event that a web service did not take held up all aggregates of its partition.
    [Fact]
    public async Task Event_that_is_not_handled_parks_its_aggregate_alone_and_what_was_kept_is_handled_in_order_on_retry()
    {
        _room.Poison["a"] = 3;
        await using (EventSourcedNode node = await _room.Start())
        {
            await Mailroom.Send(node, Movement.Open("a"), Movement.Open("b"), Movement.Credit("a", 1), Movement.Credit("a", 2),
                Movement.Credit("b", 1), Movement.Credit("a", 3), Movement.Credit("b", 2));
            (await _room.Handled(3)).Order().ShouldBe([("a", 2), ("b", 2), ("b", 3)]);
            await Mailroom.Send(node, Movement.Credit("b", 3));
            (await _room.Handled(1)).ShouldBe([("b", 4)]);
            node.Subscriptions[0].Parked.ShouldBe(new Dictionary<string, int> { ["account"] = 1 });
            node.Subscriptions[0].Stops["account"].All().ShouldBeEmpty();
            CheckResult health = node.Checks.Single(c => c.Name == "subscriptions").Look();
            health.Status.ShouldBe(CheckStatus.Degraded);
            health.Reason.ShouldBe(
                $"mailer: 1 aggregates 'account' of this node are parked. 'kes subscriptions show {_room.Name}.mailer' says why.");
            _room.Measured("kes_subscription_parked").ShouldBe([1]);
            await Parked();
        }

        ParkedAggregate parked = _room.Read().Parked.ShouldHaveSingleItem();
        (parked.AggregateId, parked.Version, parked.EventId, parked.Attempts, parked.Error).ShouldBe(
            ("a", 3L, "a/3", 2, "TimeoutException: The web service does not take it."));
        parked.EventType.ShouldEndWith("AccountCredited");

        // What is parked is known before the first event, and goes on being kept though the handler is well again.
        _room.Poison.Clear();
        await using EventSourcedNode next = await _room.Start();
        await Mailroom.Send(next, Movement.Credit("a", 4), Movement.Credit("b", 4));
        (await _room.Handled(1)).ShouldBe([("b", 5)]);
        _room.Ask(parked).ShouldBe(new SubscriptionAnswer(true, 3, null));
        (await _room.Handled(3)).ShouldBe([("a", 3), ("a", 4), ("a", 5)]);
        await Mailroom.Send(next, Movement.Credit("a", 5));
        (await _room.Handled(1)).ShouldBe([("a", 6)]);
        LedgerState after = _room.Read();
        after.Parked.ShouldBeEmpty();
        after.Requests.ShouldBeEmpty();
        next.Subscriptions[0].Parked["account"].ShouldBe(0);
        next.Checks.Single(c => c.Name == "subscriptions").Look().ShouldBe(CheckResult.Ok);
        _room.Measured("kes_subscription_parked").ShouldBe([0]);
    }

    [Fact]
    public async Task Retry_that_fails_keeps_the_aggregate_parked_and_counts_its_attempts()
    {
        _room.Poison["a"] = 2;
        await using EventSourcedNode node = await _room.Start();
        await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Credit("a", 2), Movement.Open("b"),
            Movement.Credit("b", 1));
        (await _room.Handled(1)).ShouldBe([("b", 2)]);
        ParkedAggregate parked = await Parked();

        SubscriptionAnswer answer = _room.Ask(parked);
        (answer.IsDone, answer.Handled).ShouldBe((false, 0));
        answer.Message!.ShouldContain("version 2, after 2 more attempts: TimeoutException");
        ParkedAggregate again = _room.Read().Parked.ShouldHaveSingleItem();
        (again.Offset, again.Attempts, again.Since).ShouldBe((parked.Offset, 4, parked.Since));

        // Another event of it fails: it is parked there now, and what was handled is not handled again.
        _room.Poison["a"] = 3;
        answer = _room.Ask(again);
        (answer.IsDone, answer.Handled).ShouldBe((false, 1));
        (await _room.Handled(1)).ShouldBe([("a", 2)]);
        _room.Poison.Clear();
        _room.Ask(_room.Read().Parked.ShouldHaveSingleItem()).ShouldBe(new SubscriptionAnswer(true, 1, null));
        (await _room.Handled(1)).ShouldBe([("a", 3)]);
        _room.Ask(again).ShouldBe(new SubscriptionAnswer(false, 0, "It is not parked."));
    }

    [Fact]
    public async Task Skip_passes_over_the_event_that_it_names_and_records_who_and_why()
    {
        _room.Poison["a"] = 2;
        await using EventSourcedNode node = await _room.Start();
        await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Credit("a", 2), Movement.Open("b"),
            Movement.Credit("b", 1));
        await _room.Handled(1);
        ParkedAggregate parked = await Parked();

        SubscriptionAnswer another = _room.Ask(parked with { Offset = parked.Offset + 1 }, "a mistake");
        another.IsDone.ShouldBeFalse();
        another.Message!.ShouldContain($"It is parked at 0@{parked.Offset}");

        _room.Ask(parked, "the receiver has died").ShouldBe(new SubscriptionAnswer(true, 1, null));
        (await _room.Handled(1)).ShouldBe([("a", 3)]);
        LedgerState after = _room.Read();
        after.Parked.ShouldBeEmpty();
        SkippedEvent skipped = after.Skipped.ShouldHaveSingleItem();
        (skipped.Event.AggregateId, skipped.Event.Version, skipped.By, skipped.Reason).ShouldBe(("a", 2L, "Ada", "the receiver has died"));
    }

    // Where the position was before it, as after a crash, the event that was passed over came again, was handled, and its aggregate parked
    // anew.
    [Fact]
    public async Task Skipped_event_that_comes_again_is_not_handled()
    {
        _room.Options = _room.Options with { MaxAggregatesPerPartition = 1 };
        _room.Poison["a"] = 2;
        ParkedAggregate parked;
        await using (EventSourcedNode node = await _room.Start())
        {
            await Mailroom.Send(node, Movement.Open("b"), Movement.Credit("b", 1), Movement.Open("a"), Movement.Credit("a", 1),
                Movement.Credit("a", 2));
            await _room.Handled(1);
            parked = await Parked();
        }

        await _room.MoveGroup(0);
        // It comes no further than to b's first event, and acts on what is asked meanwhile.
        await using (EventSourcedNode held = await _room.Start((_, token) =>
            Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token)))
            _room.Ask(parked, "the receiver has died").ShouldBe(new SubscriptionAnswer(true, 0, null));

        _room.Poison.Clear();
        await using EventSourcedNode next = await _room.Start();
        await Mailroom.Send(next, Movement.Credit("b", 2));
        (await _room.Handled(3)).Order().ShouldBe([("a", 3), ("b", 2), ("b", 3)]);
        _room.Rest().ShouldBeEmpty();
    }

    [Fact]
    public async Task Higher_revision_of_the_handlers_tries_what_is_parked_again_once()
    {
        _room.Poison["a"] = 2;
        _room.Poison["b"] = 2;
        await using (EventSourcedNode node = await _room.Start())
        {
            await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Open("b"), Movement.Credit("b", 1),
                Movement.Open("c"), Movement.Credit("c", 1));
            (await _room.Handled(1)).ShouldBe([("c", 2)]);
            await Parked(2);
        }

        _room.Read().Parked.Count.ShouldBe(2);
        _room.Poison.TryRemove("a", out _);
        _room.Options = _room.Options with { Revision = 1 };
        await using (EventSourcedNode mended = await _room.Start())
        {
            (await _room.Handled(1)).ShouldBe([("a", 2)]);
            SubscriptionAnswer stale = _room.Ask(new ParkedAggregate
            {
                AggregateId = "none",
                TopicId = "",
                Partition = 0,
                Offset = 0,
                Version = 1,
                EventId = "",
                EventType = "",
                Attempts = 1,
                Error = "",
                Since = default,
                LastAttempt = default,
                Revision = 0,
            });
            stale.IsDone.ShouldBeFalse(); // requests are acted on after what the revision brings
        }

        ParkedAggregate left = _room.Read().Parked.ShouldHaveSingleItem();
        (left.AggregateId, left.Revision, left.Attempts).ShouldBe(("b", 1, 4));
    }

    // Without a bound a web service that is down would park every aggregate.
    [Fact]
    public async Task Partition_stands_still_when_as_many_aggregates_are_parked_as_may_be()
    {
        _room.Options = _room.Options with { MaxParkedAggregates = 1, MaxBatchEvents = 1 };
        _room.Poison["a"] = 0;
        _room.Poison["b"] = 0;
        await using EventSourcedNode node = await _room.Start();
        await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Open("b"), Movement.Credit("b", 1),
            Movement.Open("c"), Movement.Credit("c", 1));
        string reason = await node.Subscriptions[0].Stops["account"].Any.WaitAsync(Cancellation);
        reason.ShouldContain("1 aggregates of the partition are parked already");
        reason.ShouldContain(" of b ");
        _room.Rest().ShouldBeEmpty();

        _room.Poison.TryRemove("b", out _);
        (await _room.Handled(2)).ShouldBe([("b", 2), ("c", 2)]);
    }

    [Fact]
    public async Task Retry_while_events_of_the_aggregate_come_handles_all_in_order()
    {
        const int Credits = 60;
        _room.Poison["a"] = 2;
        await using EventSourcedNode node = await _room.Start();
        await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Open("b"), Movement.Credit("b", 1));
        await _room.Handled(1);
        ParkedAggregate parked = await Parked();
        _room.Poison.Clear();
        Task sending = Mailroom.Send(node, [.. Enumerable.Range(1, Credits).Select(i => Movement.Credit("a", i))]);
        _room.Ask(parked).IsDone.ShouldBeTrue();
        await sending;
        (await _room.Handled(Credits + 1)).ShouldBe([.. Enumerable.Range(2, Credits + 1).Select(v => ("a", (long)v))]);
        _room.Rest().ShouldBeEmpty();
    }

    // Others may be handled before it is written.
    private async Task<ParkedAggregate> Parked(int count = 1)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        while (true)
        {
            if (_room.Read().Parked is { Count: var parked } all && parked >= count)
                return all.First();
            await look.WaitForNextTickAsync(Cancellation);
        }
    }
}
