using Banking.Domain;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>What a host of the user's injects, from before its start until after its end.</summary>
public sealed class HostedClientTests(BankFixture bank)
{
    private static readonly AggregateId Id = AggregateId.Parse("a");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private static OpenAccount Open => new() { Owner = "Ann", Currency = "CZK", OverdraftLimit = 0, OpenedOn = new DateOnly(2026, 1, 1) };

    // The node did not start: "An item with the same key has already been added."
    [Fact]
    public async Task Aggregate_types_that_decide_the_same_commands_have_a_client_each()
    {
        AggregateDefinition<AccountState> vault = AggregateDefinition.Define("vault", Account.Definition.InitialState)
            .Decides<OpenAccount>((state, command, context) => Account.Definition.Decide(state, command, context))
            .Evolves<AccountOpened>((state, opened) => Account.Definition.Evolve(state, opened))
            .Build();
        using IHost host = NewHost(builder => builder.AddAggregate(Account.Definition).AddAggregate(vault));
        await host.StartAsync(Cancellation);
        var vaults = host.Services.GetRequiredKeyedService<IAggregateClient<AccountState>>("vault");
        (await vaults.SendAsync(Id, Open, Cancellation)).Version.ShouldBe(1);

        (await vaults.ReadAsync(Id, Cancellation))!.Version.ShouldBe(1);
        var accounts = host.Services.GetRequiredKeyedService<IAggregateClient<AccountState>>("account");
        (await accounts.ReadAsync(Id, Cancellation)).ShouldBeNull();
        (await Should.ThrowAsync<InvalidInputException>(host.Services.GetRequiredService<ICommandClient>().SendAsync(
            new CommandEnvelope(Id, CommandId.New(TimeProvider.System), Open), Cancellation))).Message.ShouldBe(
            "The aggregate types 'account' and 'vault' decide OpenAccount: send it by the client of one of them.");
        await host.StopAsync(Cancellation);
    }

    // After the end a command failed with an ObjectDisposedException of an inner part, and a read held up the end for ten seconds.
    [Fact]
    public async Task Client_before_the_start_and_after_the_end_is_refused_as_unavailable()
    {
        using IHost host = NewHost(builder => builder.AddAggregate(Account.Definition));
        var accounts = host.Services.GetRequiredService<IAggregateClient<AccountState>>();
        (await Should.ThrowAsync<AggregateUnavailableException>(accounts.SendAsync(Id, Open, Cancellation))).Message.ShouldContain(
            "is starting");
        await host.StartAsync(Cancellation);
        (await accounts.SendAsync(Id, Open, Cancellation)).Version.ShouldBe(1);
        await host.StopAsync(Cancellation);

        (await Should.ThrowAsync<AggregateUnavailableException>(accounts.SendAsync(Id, Open, Cancellation))).Message.ShouldContain(
            "has ended");
        (await Should.ThrowAsync<AggregateUnavailableException>(accounts.ReadAsync(Id, Cancellation).AsTask())).Message.ShouldContain(
            "has ended");
    }

    // Its caller was told that it was cancelled, and the command took effect.
    [Fact]
    public async Task Command_whose_token_was_cancelled_before_the_call_has_no_effect()
    {
        using IHost host = NewHost(builder => builder.AddAggregate(Account.Definition));
        await host.StartAsync(Cancellation);
        var accounts = host.Services.GetRequiredService<IAggregateClient<AccountState>>();
        await Should.ThrowAsync<OperationCanceledException>(accounts.SendAsync(Id, Open, new CancellationToken(canceled: true)));
        (await accounts.ReadAsync(Id, Cancellation)).ShouldBeNull();
        await host.StopAsync(Cancellation);
    }

    private IHost NewHost(Action<KafkaEventSourcingBuilder> add)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        string name = TestServers.UniqueName("bank");
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Bank:Kafka"] = bank.Servers.Addresses.Kafka,
            ["Bank:SchemaRegistry"] = bank.Servers.Addresses.Registry,
            ["Bank:DataDirectory"] = Path.Combine(bank.Servers.Folder, name),
            ["Bank:Partitions"] = "2",
            ["Bank:Drain"] = "00:00:00",
            ["Bank:WaitForStart"] = "true",
        });
        add(builder.Services.AddKafkaEventSourcing(name, builder.Configuration.GetSection("Bank")));
        return builder.Build();
    }
}
