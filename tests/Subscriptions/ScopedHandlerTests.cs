using System.Collections.Concurrent;
using System.Threading.Channels;
using Banking.Domain;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Integration.Tests;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace KafkaEventSourcing.Subscriptions.Tests;

/// <summary>
/// Handlers that are made for each attempt. A handler was made before there were services, so that it had no client and no database of the
/// application's.
/// </summary>
public sealed class ScopedHandlerTests : IAsyncLifetime
{
    private readonly string _name = TestServers.UniqueName("bank");
    private readonly Desk _desk = new();
    private TestServers _servers = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _servers = await ServersOrSkip.Start(Cancellation);

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    [Fact]
    public async Task Each_attempt_has_a_handler_and_a_scope_of_its_own_that_end_with_it()
    {
        _desk.Failures["a"] = 1;
        await using (EventSourcedNode node = await Start<Clerk>())
        {
            await node.SendAsync(Movement.Open("a"), Cancellation);
            (await _desk.Handled.Reader.ReadAsync(Cancellation)).ShouldBe("a/1");
        }

        // the first one is made before anything is handled, to see that it can be
        _desk.Log.ShouldBe(
        [
            "database 1 opened", "clerk made with 1", "clerk of 1 disposed", "database 1 closed",
            "database 2 opened", "clerk made with 2", "attempt 1 with 2", "clerk of 2 disposed", "database 2 closed",
            "database 3 opened", "clerk made with 3", "attempt 2 with 3", "clerk of 3 disposed", "database 3 closed",
        ]);
    }

    [Fact]
    public async Task Handler_that_is_registered_comes_from_the_container_and_lives_as_it_says()
    {
        await using EventSourcedNode node = await Start<Clerk>(services =>
            services.AddSingleton(_ => new Clerk(_desk, new Database(_desk))));
        foreach (string account in (string[])["a", "b"])
        {
            await node.SendAsync(Movement.Open(account), Cancellation);
            (await _desk.Handled.Reader.ReadAsync(Cancellation)).ShouldBe($"{account}/1");
        }

        _desk.Log.ShouldBe(["database 1 opened", "clerk made with 1", "attempt 1 with 1", "attempt 1 with 1"]);
    }

    [Fact]
    public async Task Handler_may_send_commands_by_the_client_of_its_node_which_serves_when_handling_begins()
    {
        await using (EventSourcedNode before = await Start<Clerk>())
        {
            await before.SendAsync(Movement.Open("a"), Cancellation);
            await _desk.Handled.Reader.ReadAsync(Cancellation);
        }

        await using EventSourcedNode node = await Start<Giver>(name: "giver");
        (await _desk.Handled.Reader.ReadAsync(Cancellation)).ShouldBe("given in attempt 1");
        IAggregateClient<AccountState> accounts = node.ClientOf(Account.Definition);
        (await accounts.ReadAsync(AggregateId.Parse("a"), Cancellation))!.State.Balance.ShouldBe(5);
    }

    // It would have failed at every event, and parked every aggregate.
    [Fact]
    public async Task Handler_that_cannot_be_made_ends_the_start_and_says_what_is_missing()
    {
        HandlerActivationException missing = await Should.ThrowAsync<HandlerActivationException>(Start<Lost>());
        missing.Message.ShouldStartWith("The handler Lost of the subscription 'mailer' cannot be made: ");
        missing.Message.ShouldContain(typeof(NowhereRegistered).FullName!);
        missing.Message.ShouldContain("WithServices");
        (missing.Subscription, missing.Handler).ShouldBe(("mailer", typeof(Lost)));
    }

    [Fact]
    public async Task Handler_that_cannot_be_made_later_is_a_failed_attempt_and_parks_with_its_reason()
    {
        await using EventSourcedNode node = await Start<Clerk>();
        _desk.IsFull = true;
        await node.SendAsync(Movement.Open("a"), Cancellation);
        (await Parked()).Error.ShouldStartWith("HandlerActivationException: The handler Clerk of the subscription 'mailer' "
            + "cannot be made: No database is left.");
    }

    [Fact]
    public async Task Handler_without_services_is_refused_by_name()
    {
        SubscriptionDefinition mailer = Subscription.Named("mailer").From(Account.Definition).On<AccountOpened, Clerk>().Build();
        (await Should.ThrowAsync<HandlerActivationException>(mailer.CheckHandlers(null))).Message.ShouldContain(
            "there are no services to make it with");
        Should.Throw<InvalidOperationException>(() => Subscription.Named("mailer").From(Account.Definition).On<AccountOpened, Clerk>()
            .On<AccountOpened, Giver>()).Message.ShouldBe("The subscription 'mailer' already handles AccountOpened.");
    }

    private async Task<ParkedAggregate> Parked()
    {
        string ledger = new TopicFamily(_name, "account").Subscription("mailer");
        using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        while (true)
        {
            using var reader = new LedgerReader(_servers.Addresses.KafkaConnection, ledger,
                wrong => throw new InvalidOperationException(wrong));
            if (Enumerable.Range(0, 2).SelectMany(p => reader.Read(p, Cancellation).Parked).FirstOrDefault() is { } parked)
                return parked;
            await look.WaitForNextTickAsync(Cancellation);
        }
    }

    private Task<EventSourcedNode> Start<THandler>(Action<IServiceCollection>? configure = null, string name = "mailer")
        where THandler : class, ISubscriptionHandler<AccountOpened>
    {
        SubscriptionDefinition subscription = Subscription.Named(name).From(Account.Definition).On<AccountOpened, THandler>()
            .With(new SubscriptionOptions { Attempts = 2, RetryDelay = TimeSpan.FromMilliseconds(5) })
            .Build();
        ApplicationDefinition bank = EventSourcedApplication.Named(_name, "A bank.").With(Account.Definition).With(subscription)
            .WithServices(services =>
            {
                services.AddSingleton(_desk).AddScoped<Database>();
                configure?.Invoke(services);
            })
            .Build();
        return _servers.StartNodeAsync(bank, null, Cancellation);
    }

    /// <summary>What the handlers of a test do, in order; aggregates come one after the other.</summary>
    private sealed class Desk
    {
        private int _databases;

        public ConcurrentQueue<string> Log { get; } = [];

        public Channel<string> Handled { get; } = Channel.CreateUnbounded<string>();

        public ConcurrentDictionary<string, int> Failures { get; } = [];

        public bool IsFull { get; set; }

        public int Open() => IsFull ? throw new IOException("No database is left.") : Interlocked.Increment(ref _databases);
    }

    private sealed class Database : IDisposable
    {
        private readonly Desk _desk;

        public Database(Desk desk)
        {
            (_desk, Number) = (desk, desk.Open());
            desk.Log.Enqueue($"database {Number} opened");
        }

        public int Number { get; }

        public void Dispose() => _desk.Log.Enqueue($"database {Number} closed");
    }

    private sealed class Clerk : ISubscriptionHandler<AccountOpened>, IAsyncDisposable
    {
        private readonly Desk _desk;
        private readonly Database _database;

        public Clerk(Desk desk, Database database)
        {
            (_desk, _database) = (desk, database);
            desk.Log.Enqueue($"clerk made with {database.Number}");
        }

        public async Task HandleAsync(AccountOpened @event, EventContext context, CancellationToken cancellationToken)
        {
            _desk.Log.Enqueue($"attempt {context.Attempt} with {_database.Number}");
            if (_desk.Failures.TryGetValue(context.Event.AggregateId.Value, out int failures) && context.Attempt <= failures)
                throw new TimeoutException("The database is busy.");
            await _desk.Handled.Writer.WriteAsync($"{context.Event.AggregateId.Value}/{context.Event.Version}", cancellationToken);
        }

        public ValueTask DisposeAsync()
        {
            _desk.Log.Enqueue($"clerk of {_database.Number} disposed");
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Giver(Desk desk, ICommandClient commands) : ISubscriptionHandler<AccountOpened>
    {
        public async Task HandleAsync(AccountOpened @event, EventContext context, CancellationToken cancellationToken)
        {
            await commands.SendAsync(Movement.Credit(context.Event.AggregateId.Value, 5, "gift"), cancellationToken);
            await desk.Handled.Writer.WriteAsync($"given in attempt {context.Attempt}", cancellationToken);
        }
    }

    private sealed class Lost(NowhereRegistered it) : ISubscriptionHandler<AccountOpened>
    {
        public Task HandleAsync(AccountOpened @event, EventContext context, CancellationToken cancellationToken) =>
            Task.FromException(new InvalidOperationException(it.ToString()));
    }

    private sealed class NowhereRegistered;
}
