using System.Threading.Channels;
using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Integration.Tests;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary>A subscription to events that are upcast: a debit is two credits by now, and a freeze is withdrawn.</summary>
public sealed class UpcastEventTests : IAsyncLifetime
{
    private readonly string _name = TestServers.UniqueName("upcast");
    private readonly Channel<(string Account, long Version, int Part, long Amount)> _handled =
        Channel.CreateUnbounded<(string, long, int, long)>();
    private TestServers _servers = null!;
    private Mailroom _room = null!;
    private int _failures;

    private static int PartitionOfA => EventLog.Murmur2.Partition("a"u8, 2);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);
        _room = new Mailroom(_servers, name: _name);
        await using EventSourcedNode before = await _servers.StartNodeAsync(EventSourcedApplication.Named(_name, "Before.")
            .With(Define()
                .Decides<Debit>((_, debit) => Decision.Accept(new AccountDebited
                {
                    Amount = debit.Amount,
                    Currency = "EUR",
                    BookedOn = debit.BookedOn,
                    Operation = debit.Operation,
                    Category = debit.Category,
                    BalanceAfter = 0,
                }))
                .Decides<FreezeAccount>((_, freeze) => Decision.Accept(new AccountFrozen { Reason = freeze.Reason }))
                .Evolves<AccountDebited>((state, _) => state)
                .Evolves<AccountFrozen>((state, _) => state)
                .Build())
            .Build(), null, Cancellation);
        await Mailroom.Send(before, Movement.Credit("a", 1), Movement.Debit("a", 2), Freeze("a"), Movement.Credit("a", 4),
            Freeze("a"));
    }

    public async ValueTask DisposeAsync()
    {
        _room?.Dispose();
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    // The offset told what was handled: of an event that is upcast to two, the second was not handled once the first was.
    [Fact]
    public async Task Part_that_is_not_handled_comes_again_without_those_before_it_and_holds_up_the_later_events()
    {
        _failures = 3;
        await using EventSourcedNode node = await Start(maxParked: 0);
        (await Handled(4)).ShouldBe([("a", 1, 0, 1), ("a", 2, 0, -2), ("a", 2, 1, 200), ("a", 4, 0, 4)]);
        await Mailroom.Send(node, Movement.Credit("a", 8));
        (await Handled(1)).ShouldBe([("a", 6, 0, 8)]);
    }

    [Fact]
    public async Task Part_that_is_not_handled_parks_its_aggregate_and_the_event_is_handled_as_a_whole_on_retry()
    {
        _failures = 2;
        await using EventSourcedNode node = await Start(maxParked: 1);
        await Mailroom.Send(node, Movement.Credit("b", 1));
        (await Handled(3)).Order().ShouldBe([("a", 1, 0, 1), ("a", 2, 0, -2), ("b", 1, 0, 1)]);
        ParkedAggregate parked = await Parked();
        (parked.AggregateId, parked.Version, parked.EventType).ShouldBe(("a", 2, "Banking.Domain.AccountCredited"));
        _room.Ask(parked).ShouldBe(new SubscriptionAnswer(true, 3, null));
        (await Handled(3)).ShouldBe([("a", 2, 0, -2), ("a", 2, 1, 200), ("a", 4, 0, 4)]);
        await Mailroom.Send(node, Movement.Credit("a", 8));
        (await Handled(1)).ShouldBe([("a", 6, 0, 8)]);
    }

    [Fact]
    public async Task Skip_passes_over_all_that_an_event_is_upcast_to()
    {
        _failures = 2;
        await using EventSourcedNode node = await Start(maxParked: 1);
        (await Handled(2)).ShouldBe([("a", 1, 0, 1), ("a", 2, 0, -2)]);
        _room.Ask(await Parked(), "the receiver has died").ShouldBe(new SubscriptionAnswer(true, 1, null));
        (await Handled(1)).ShouldBe([("a", 4, 0, 4)]);
    }

    [Fact]
    public void Subscription_to_a_type_that_is_upcast_is_refused() =>
        Should.Throw<InvalidOperationException>(() => Subscription.Named("mailer").From(After())
            .On<AccountDebited>((_, _, _) => Task.CompletedTask).Build()).Message
            .ShouldBe("The subscription 'mailer' handles AccountDebited, which 'account' upcasts: no reader sees it. Handle what it is "
                + "upcast to.");

    private static AggregateBuilder<AccountState> Define() => AggregateDefinition.Define("account", Account.Definition.InitialState)
        .Decides<Credit>((_, credit) => Decision.Accept(Credited(credit.Amount)))
        .Evolves<AccountCredited>((state, _) => state);

    private static AggregateDefinition After() => Define()
        .Upcasts<AccountDebited>(debited => [Credited(-debited.Amount), Credited(debited.Amount * 100)])
        .Ignores("Banking.Domain.AccountFrozen")
        .Build();

    private static AccountCredited Credited(long amount) => new()
    {
        Amount = amount,
        Currency = "EUR",
        BookedOn = new DateOnly(2026, 3, 1),
        Operation = Operation.CashDeposit,
        Category = Category.None,
        BalanceAfter = 0,
    };

    private static CommandEnvelope Freeze(string account) =>
        new(AggregateId.Parse(account), CommandId.New(TimeProvider.System), new FreezeAccount { Reason = "why" });

    private async Task<ParkedAggregate> Parked()
    {
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(20), TimeProvider.System);
        while (_room.Read(PartitionOfA).Parked.Count == 0) // the letter is written after the last attempt
            await look.WaitForNextTickAsync(Cancellation);
        return _room.Read(PartitionOfA).Parked.ShouldHaveSingleItem();
    }

    private async Task<(string Account, long Version, int Part, long Amount)[]> Handled(int count)
    {
        var handled = new List<(string, long, int, long)>();
        while (handled.Count < count)
            handled.Add(await _handled.Reader.ReadAsync(Cancellation));
        return [.. handled];
    }

    private Task<EventSourcedNode> Start(int maxParked)
    {
        AggregateDefinition account = After();
        SubscriptionDefinition mailer = Subscription.Named("mailer").From(account)
            .On<AccountCredited>((credited, context, token) => context.Event.Part == 1 && Interlocked.Decrement(ref _failures) >= 0
                ? throw new TimeoutException("The web service does not take it.")
                : _handled.Writer.WriteAsync((context.Event.AggregateId.Value, context.Event.Version, context.Event.Part, credited.Amount),
                    token).AsTask())
            .With(new SubscriptionOptions { Attempts = 2, MaxParkedAggregates = maxParked, RetryDelay = TimeSpan.FromMilliseconds(5) })
            .Build();
        return _servers.StartNodeAsync(EventSourcedApplication.Named(_name, "After.").With(account).With(mailer).Build(), null,
            Cancellation);
    }
}
