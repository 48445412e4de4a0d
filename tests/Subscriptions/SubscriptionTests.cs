using System.Collections.Concurrent;
using System.Threading.Channels;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Integration.Tests;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

public sealed class SubscriptionTests : IAsyncLifetime
{
    private readonly Channel<(string Account, long Version)> _handled = Channel.CreateUnbounded<(string, long)>();
    private readonly string _name = TestServers.UniqueName("bank");
    private TestServers _servers = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _servers = await ServersOrSkip.Start(Cancellation);

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Events_of_an_aggregate_are_handled_in_order_and_not_again_after_a_restart()
    {
        await using (EventSourcedNode node = await Start(Take))
        {
            await Send(node, Movement.Open("a"), Movement.Open("b"), Movement.Credit("a", 1), Movement.Credit("b", 2),
                Movement.Credit("a", 3));
            (await Handled(3)).Where(h => h.Account == "a").ShouldBe([("a", 2), ("a", 3)]); // openings are not handled
        }

        await using EventSourcedNode again = await Start(Take);
        await Send(again, Movement.Credit("a", 4), Movement.Credit("b", 5));
        (await Handled(2)).Order().ShouldBe([("a", 4), ("b", 3)]);
    }

    [Fact]
    public async Task Handler_that_fails_is_called_again_where_nothing_may_be_parked_and_events_that_were_handled_are_not()
    {
        var failures = new ConcurrentDictionary<long, int>();
        await using EventSourcedNode node = await Start((context, token) =>
            context.Event.AggregateId.Value == "a"
                && context.Event.Version == 2
                && failures.AddOrUpdate(context.Event.Version, 1, (_, n) => n + 1) <= 3
                ? throw new TimeoutException("The web service is away.")
                : Take(context, token));
        await Send(node, Movement.Open("a"), Movement.Credit("a", 1), Movement.Credit("a", 2), Movement.Open("b"), Movement.Credit("b", 1));
        (string Account, long Version)[] handled = await Handled(3);
        handled.Where(h => h.Account == "a").ShouldBe([("a", 2), ("a", 3)]);
        handled.Count(h => h.Account == "b").ShouldBe(1);
        failures[2].ShouldBe(4);
    }

    [Fact]
    public async Task Event_whose_handler_was_cut_off_by_the_end_of_the_node_is_handled_by_the_next()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (EventSourcedNode node = await Start(async (_, token) =>
        {
            begun.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
        }))
        {
            await Send(node, Movement.Open("a"), Movement.Credit("a", 1));
            await begun.Task.WaitAsync(Cancellation);
        }

        await using EventSourcedNode next = await Start(Take);
        (await Handled(1)).ShouldBe([("a", 2)]);
    }

    [Fact]
    public async Task Subscription_from_a_time_on_does_not_handle_what_was_before()
    {
        await using (EventSourcedNode before = await _servers.StartNodeAsync(
            EventSourcedApplication.Named(_name, "Before.").With(Account.Definition).Build(), null, Cancellation))
            await Send(before, Movement.Open("a"), Movement.Credit("a", 1));

        await using EventSourcedNode node = await Start(Take, SubscriptionStart.At(TimeProvider.System.GetUtcNow()));
        await Send(node, Movement.Credit("a", 2));
        (await Handled(1)).ShouldBe([("a", 3)]);
    }

    [Fact]
    public void Subscription_to_what_is_no_event_of_its_aggregates_is_refused()
    {
        Should.Throw<InvalidOperationException>(() =>
            Subscription.Named("mailer").From(Account.Definition).On<OpenAccount>((_, _, _) => Task.CompletedTask).Build())
            .Message.ShouldBe("The subscription 'mailer' handles OpenAccount, which is not an event of 'account'.");
        Should.Throw<InvalidInputException>(() => Subscription.Named("Mailer"));
    }

    private static async Task Send(EventSourcedNode node, params CommandEnvelope[] commands)
    {
        foreach (CommandEnvelope command in commands)
            await node.SendAsync(command, Cancellation);
    }

    private Task Take(EventContext context, CancellationToken cancellationToken) =>
        _handled.Writer.WriteAsync((context.Event.AggregateId.Value, context.Event.Version), cancellationToken).AsTask();

    private async Task<(string Account, long Version)[]> Handled(int count)
    {
        var handled = new List<(string, long)>();
        while (handled.Count < count)
            handled.Add(await _handled.Reader.ReadAsync(Cancellation));
        return [.. handled];
    }

    private Task<EventSourcedNode> Start(Func<EventContext, CancellationToken, Task> handle, SubscriptionStart? start = null)
    {
        SubscriptionDefinition mailer = Subscription.Named("mailer").From(Account.Definition)
            .On<AccountCredited>((_, context, token) => handle(context, token))
            .StartingAt(start ?? SubscriptionStart.Beginning)
            .With(new SubscriptionOptions { Attempts = 2, MaxParkedAggregates = 0, RetryDelay = TimeSpan.FromMilliseconds(5) })
            .Build();
        return _servers.StartNodeAsync(EventSourcedApplication.Named(_name, "A bank with a mailer.").With(Account.Definition).With(mailer)
            .Build(), null, Cancellation);
    }
}
