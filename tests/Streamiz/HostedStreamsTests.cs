using Banking.Domain;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Embedded;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>Streams in the host of a node, on the servers that the node starts.</summary>
public sealed class HostedStreamsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("kes-test-").FullName;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    // The registration before that of the node is the harder one: hosted services are stopped in the order that is the reverse of theirs.
    [Fact]
    public async Task Streams_start_when_the_node_serves_and_end_before_its_embedded_servers_whatever_was_added_first()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventStreams(BankStreams.Snapshots());
        builder.Services.AddKafkaEventSourcing("bank", options => (options.DataDirectory, options.Partitions, options.Drain) =
            (_folder, 2, TimeSpan.Zero)).AddAggregate(Account.Definition).UseEmbeddedServers(new EmbeddedServers());
        using IHost host = builder.Build();
        await host.StartAsync(Cancellation);
        await host.Services.GetRequiredService<INodeAccessor>().WaitForNodeAsync(Cancellation);

        var accounts = host.Services.GetRequiredService<IAggregateClient<AccountState>>();
        CommandResult opened = await accounts.SendAsync(AggregateId.Parse("a"), new OpenAccount
        {
            Owner = "ann", Currency = "CZK", OverdraftLimit = 0, OpenedOn = new DateOnly(2026, 11, 1),
        }, Cancellation);
        ConsistencyToken token = opened.ShouldBeOfType<CommandResult.Accepted>().Token;
        var streams = host.Services.GetRequiredService<IEventStreams>();
        StreamSnapshot<AccountState>? snapshot = await streams.ReadSnapshotAsync(Account.Definition, AggregateId.Parse("a"),
            token, Cancellation);
        snapshot.ShouldNotBeNull().State.Owner.ShouldBe("ann");
        await streams.WaitForRestoreAsync(Cancellation);

        HealthReport health = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Cancellation);
        health.Entries["streams-bank-streams"].Status.ShouldBe(HealthStatus.Healthy);
        health.Entries[KafkaEventSourcingServiceExtensions.HealthCheckName].Data["streams:bank-streams"].ShouldBe("ok");
        await host.StopAsync(Cancellation);
        streams.Trouble.ShouldNotBeNull();
    }

    [Theory]
    [InlineData("bank-transfer")]
    [InlineData("bank")]
    public async Task Name_of_the_application_or_of_a_consumer_group_of_it_ends_the_start_of_the_host(string name)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddKafkaEventSourcing("bank", options => options.DataDirectory = _folder).AddAggregate(Account.Definition)
            .AddAggregate(Transfer.Definition).UseEmbeddedServers(new EmbeddedServers());
        builder.Services.AddEventStreams(EventStreams.Define(name).From(Account.Definition).Snapshot(Account.Definition)
            .Build());
        using IHost host = builder.Build();
        (await Should.ThrowAsync<InvalidInputException>(host.StartAsync(Cancellation))).Message.ShouldContain($"'{name}'");
    }

    [Fact]
    public void Streams_of_one_name_twice_and_streams_that_do_not_know_the_log_are_refused()
    {
        var services = new ServiceCollection();
        services.AddEventStreams(BankStreams.Snapshots());
        Should.Throw<InvalidOperationException>(() => services.AddEventStreams(BankStreams.Totals()))
            .Message.ShouldContain("'bank-streams'");
        using ServiceProvider provider = services.BuildServiceProvider();
        Should.Throw<InvalidOperationException>(provider.GetServices<IHostedService>).Message.ShouldContain("AddApplicationServers");
    }

    /// <summary>Each start logged a stack of fifty lines, and the health said "stand still".</summary>
    [Fact]
    public async Task Streams_before_the_topics_are_there_say_in_a_line_what_they_wait_for_and_go_on_when_they_come()
    {
        await using TestServers servers = await ServersOrSkip.Start(Cancellation);
        string application = TestServers.UniqueName("app");
        var log = new LineLog();
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<ILoggerProvider>(log);
        builder.Services.AddApplicationServers(application, StreamLog.ServersOf(servers, application))
            .AddEventStreams(BankStreams.Snapshots());
        using IHost host = builder.Build();
        await host.StartAsync(Cancellation);
        var streams = host.Services.GetRequiredService<IEventStreams>();
        (string line, Exception? stack) = await log.Warning.WaitAsync(Cancellation);
        line.ShouldStartWith($"Streams bank-streams wait for the topic {application}.account.events, which ");
        stack.ShouldBeNull();
        streams.Trouble.ShouldNotBeNull().ShouldStartWith($"bank-streams waits for the topic {application}.account.events, which ");

        await using StreamLog made = await StreamLog.CreateAsync(servers, Cancellation, application);
        await streams.WaitForRestoreAsync(Cancellation);
        streams.Trouble.ShouldBeNull();
        await host.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Process_without_a_node_runs_streams_on_the_servers_that_it_is_given()
    {
        await using TestServers servers = await ServersOrSkip.Start(Cancellation);
        await using StreamLog log = await StreamLog.CreateAsync(servers, Cancellation);
        ConsistencyToken token = await log.AppendAsync("a", BankStreams.Opened());
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddApplicationServers(log.Application, log.Servers).AddEventStreams(BankStreams.Snapshots());
        using IHost host = builder.Build();
        await host.StartAsync(Cancellation);
        (await host.Services.GetRequiredService<IEventStreams>().ReadSnapshotAsync(Account.Definition, AggregateId.Parse("a"), token,
            Cancellation)).ShouldNotBeNull().Version.ShouldBe(1);
        await host.StopAsync(Cancellation);
    }

    private sealed class LineLog : ILoggerProvider, ILogger
    {
        private readonly TaskCompletionSource<(string, Exception?)> _warning = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<(string Line, Exception? Stack)> Warning => _warning.Task;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => _warning.TrySetResult((formatter(state, exception), exception));

        public void Dispose()
        {
            // It holds nothing.
        }
    }
}
