using Banking.Domain;
using Banking.ReadModels;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;

[assembly: AssemblyFixture(typeof(KafkaEventSourcing.Integration.Tests.BankFixture))]
[assembly: Xunit.v3.Parallelization(MaxThreads = 4)] // they wait more than they work: for brokers, rebalances, time-outs

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Servers for all tests of this assembly; each test has a bank of its own name on them.</summary>
public sealed class BankFixture : IAsyncLifetime
{
    private TestServers? _servers;
    private TestServersUnavailableException? _unavailable;

    public TestServers Servers
    {
        get
        {
            Assert.SkipWhen(_unavailable is not null, _unavailable?.Message ?? "");
            return _servers!;
        }
    }

    public static ApplicationDefinition NewBank() => EventSourcedApplication.Named(TestServers.UniqueName("bank"), "A bank of a test.")
        .With(Account.Definition)
        .With(BankReadModels.Accounts)
        .With(BankReadModels.Statements)
        .With(BankReadModels.Movements)
        .With(BankReadModels.DailyTotals)
        .Build();

    public async ValueTask InitializeAsync()
    {
        try
        {
            _servers = await TestServers.StartAsync(CancellationToken.None);
        }
        catch (TestServersUnavailableException unavailable)
        {
            _unavailable = unavailable;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
            await _servers.DisposeAsync();
    }
}
