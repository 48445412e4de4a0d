using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Aggregates in memory, which are as strict as a node.</summary>
public sealed class InMemoryAggregateClientTests : AggregateClientContract
{
    private protected override IAggregateClient<AccountState> Accounts { get; } = new InMemoryAggregateClient<AccountState>(
        Account.Definition);

    [Fact]
    public async Task Given_events_have_happened_and_all_events_are_told_in_order()
    {
        var accounts = new InMemoryAggregateClient<AccountState>(Account.Definition);
        AggregateId id = AggregateId.Parse("a");
        var opened = new AccountOpened { Owner = "Ada", Currency = "EUR", OverdraftLimit = 0, OpenedOn = new DateOnly(2026, 1, 1) };
        accounts.Given(id, opened);
        (await accounts.SendAsync(id, new FreezeAccount { Reason = "why" }, TestContext.Current.CancellationToken)).Version.ShouldBe(2);
        accounts.Events.Select(e => (e.AggregateId, e.Version, e.Offset)).ShouldBe([(id, 1L, 0L), (id, 2L, 1L)]);
        accounts.Events[0].Payload.ShouldBe(opened);
        accounts.Events[1].Payload.ShouldBeOfType<AccountFrozen>();
    }
}

/// <summary>A node of the application, in the process of the test.</summary>
public sealed class NodeAggregateClientTests(BankFixture bank) : AggregateClientContract, IAsyncLifetime
{
    private EventSourcedNode _node = null!;

    private protected override IAggregateClient<AccountState> Accounts => _node.ClientOf(Account.Definition);

    public async ValueTask InitializeAsync() => _node = await bank.Servers.StartNodeAsync(BankFixture.NewBank(), null,
        TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync() => _node.DisposeAsync();

    [Fact]
    public void Client_of_an_aggregate_type_that_the_application_does_not_have_is_refused() =>
        Should.Throw<InvalidInputException>(() => _node.ClientOf(Transfer.Definition)).Message.ShouldEndWith(
            "does not have the aggregate type 'transfer'.");
}
