using System.Collections.Concurrent;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Integration.Tests;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary>Several nodes, several aggregate types, and nodes that end in the midst of it.</summary>
public sealed class SharingTests : IAsyncLifetime
{
    private TestServers _servers = null!;
    private Mailroom _room = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);
        _room = new Mailroom(_servers, partitions: 4);
    }

    public async ValueTask DisposeAsync()
    {
        _room?.Dispose();
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Partitions_that_move_while_events_come_are_handled_in_order_and_nothing_is_lost()
    {
        const int Accounts = 12, Credits = 30;
        string[] accounts = [.. Enumerable.Range(0, Accounts).Select(i => $"a{i}")];
        var inHand = new ConcurrentDictionary<string, bool>();
        var seen = new ConcurrentDictionary<string, ConcurrentQueue<long>>();
        var left = new CountdownEvent(Accounts * Credits);
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var atTwo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        async Task Handle(EventContext context, bool isTwo)
        {
            string account = context.Event.AggregateId.Value;
            inHand.TryAdd(account, true).ShouldBeTrue($"{account} is handled twice at the same time");
            await Task.Yield();
            ConcurrentQueue<long> versions = seen.GetOrAdd(account, _ => new());
            if (!versions.Contains(context.Event.Version) && left.Signal())
                all.TrySetResult();
            versions.Enqueue(context.Event.Version);
            inHand.TryRemove(account, out _);
            if (isTwo)
                atTwo.TrySetResult();
        }

        await using EventSourcedNode one = await _room.Start((context, _) => Handle(context, false));
        await Task.WhenAll(accounts.Select(a => Mailroom.Send(one, Movement.Open(a))));
        Task sending = Task.WhenAll(accounts.Select(a =>
            Mailroom.Send(one, [.. Enumerable.Range(1, Credits - 10).Select(i => Movement.Credit(a, i))])));
        await using (EventSourcedNode two = await _room.Start((context, _) => Handle(context, true)))
        {
            await sending;
            Task rest = Task.WhenAll(accounts.Select(a =>
                Mailroom.Send(one, [.. Enumerable.Range(1, 10).Select(i => Movement.Credit(a, i))])));
            await Task.WhenAny(atTwo.Task, all.Task).WaitAsync(Cancellation);
            await rest;
        }

        await all.Task.WaitAsync(Cancellation);
        foreach (string account in accounts)
        {
            // An event may come again after a move, and then those behind it do too: never one before all that precede it.
            long reached = 1;
            foreach (long version in seen[account])
            {
                version.ShouldBeLessThanOrEqualTo(reached + 1, $"{account}: {string.Join(' ', seen[account])}");
                reached = Math.Max(reached, version);
            }

            reached.ShouldBe(Credits + 1);
        }
    }

    [Fact]
    public async Task Subscription_to_several_aggregate_types_handles_the_events_of_all()
    {
        var handled = System.Threading.Channels.Channel.CreateUnbounded<(string Type, string Id, long Version)>();
        Task Take(EventContext context, CancellationToken token) =>
            handled.Writer.WriteAsync((context.AggregateType, context.Event.AggregateId.Value, context.Event.Version), token).AsTask();
        SubscriptionDefinition both = Subscription.Named("both").From(Account.Definition, Transfer.Definition)
            .On<AccountOpened>((_, context, token) => Take(context, token))
            .On<TransferRequested>((_, context, token) =>
                context.Event.AggregateId.Value == "poison" ? throw new TimeoutException("No.") : Take(context, token))
            .With(new SubscriptionOptions { Attempts = 1 })
            .Build();
        string name = TestServers.UniqueName("bank");
        await using EventSourcedNode node = await _servers.StartNodeAsync(EventSourcedApplication.Named(name, "A bank.").With(
            Account.Definition).With(Transfer.Definition).With(both).Build(), null, Cancellation);
        await Mailroom.Send(node, Movement.Open("poison"), Movement.Open("b"), Transferred("poison"), Transferred("t"));
        var all = new List<(string, string, long)>();
        while (all.Count < 3)
            all.Add(await handled.Reader.ReadAsync(Cancellation));
        all.Order().ShouldBe([("account", "b", 1), ("account", "poison", 1), ("transfer", "t", 1)]);

        // Parked is an aggregate of one type: another of the same id goes on.
        await WaitUntil(() => node.Subscriptions[0].Parked["transfer"] == 1);
        node.Subscriptions[0].Parked["account"].ShouldBe(0);
    }

    [Fact]
    public async Task Handler_that_ignores_its_cancellation_is_waited_for_and_its_event_is_not_handled_again()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        EventSourcedNode node = await _room.Start(async (context, token) =>
        {
            begun.TrySetResult();
            await goOn.Task;
            await _room.Take(context, CancellationToken.None);
        });
        await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1));
        await begun.Task.WaitAsync(Cancellation);
        Task ending = node.DisposeAsync().AsTask();
        node.Subscriptions[0].Completion.IsCompleted.ShouldBeFalse();
        goOn.SetResult();
        await ending;
        (await _room.Handled(1)).ShouldBe([("a", 2)]);

        await using EventSourcedNode next = await _room.Start();
        await Mailroom.Send(next, Movement.Credit("a", 2));
        (await _room.Handled(1)).ShouldBe([("a", 3)]);
    }

    // The node waited for it for ever, and its partitions went to nobody.
    [Fact]
    public async Task Handler_that_never_returns_is_left_alone_after_a_while_and_its_event_comes_again()
    {
        _room.Options = _room.Options with { StopTimeout = TimeSpan.FromMilliseconds(200) };
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var never = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (EventSourcedNode node = await _room.Start((_, _) =>
        {
            begun.TrySetResult();
            return never.Task;
        }))
        {
            await Mailroom.Send(node, Movement.Open("a"), Movement.Credit("a", 1));
            await begun.Task.WaitAsync(Cancellation);
        }

        await using EventSourcedNode next = await _room.Start();
        (await _room.Handled(1)).ShouldBe([("a", 2)]);
        never.SetResult(); // what it does now counts for nothing
        await Mailroom.Send(next, Movement.Credit("a", 2));
        (await _room.Handled(1)).ShouldBe([("a", 3)]);
    }

    private static CommandEnvelope Transferred(string id) => new(
        AggregateId.Parse(id), CommandId.New(TimeProvider.System),
        new RequestTransfer { Payer = "poison", Receiver = "b", Amount = 1, Currency = "EUR", BookedOn = new DateOnly(2026, 3, 1) });

    private static async Task WaitUntil(Func<bool> reached)
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        while (!reached())
            await look.WaitForNextTickAsync(Cancellation);
    }
}
