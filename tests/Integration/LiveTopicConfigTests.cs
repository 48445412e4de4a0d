using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Embedded.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Health;
using KafkaEventSourcing.Processing;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>Topics whose configs somebody changes while a node serves on them.</summary>
public sealed class LiveTopicConfigTests(BankFixture bank)
{
    private readonly ApplicationDefinition _application = EventSourcedApplication.Named(TestServers.UniqueName("configs"),
        "A bank of a test.").With(Account.Definition).Build();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private TopicFamily Topics => new(_application.Name, Account.Definition.Name);

    private string Data => Path.Combine(bank.Servers.Folder, _application.Name);

    // A node served on, healthy and without a word, while a week's retention took its events.
    [Theory]
    [InlineData("events", "retention.ms", "604800000", "-1")]
    [InlineData("events", "retention.bytes", "1000000", "-1")]
    [InlineData("events", "cleanup.policy", "compact", "delete")]
    [InlineData("dead-letters", "retention.ms", "604800000", "-1")]
    [InlineData("snapshots", "cleanup.policy", "delete", "compact")]
    [InlineData("commands", "cleanup.policy", "compact", "delete")]
    public async Task Config_that_loses_data_makes_a_node_degraded_and_the_next_start_is_refused_until_it_is_mended(
        string topic, string config, string losing, string safe)
    {
        string name = $"{_application.Name}.{Account.Definition.Name}.{topic}";
        var log = new NodeLog();
        await using EventSourcedNode node = await Start(bank.Servers.Addresses, log);
        HealthCheckOf(node).ShouldBe(CheckResult.Ok);
        await Set(bank.Servers.Addresses, name, config, losing);
        (await log.Line("LogWrong").WaitAsync(Cancellation)).ShouldContain($"{name}: {config} is {losing}; it must be {safe}.");
        CheckResult told = HealthCheckOf(node);
        told.Status.ShouldBe(CheckStatus.Degraded);
        told.Reason!.ShouldContain($"{name}: {config} is {losing}");
        node.IsReady.ShouldBeTrue();
        (await node.SendAsync(Movement.Open("a"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
        (await Should.ThrowAsync<InvalidInputException>(Start(bank.Servers.Addresses, NullLoggerFactory.Instance, "another"))).Message
            .ShouldContain($"{name}: {config} is {losing}");

        await Set(bank.Servers.Addresses, name, config, safe);
        await log.Line("LogMended").WaitAsync(Cancellation);
        HealthCheckOf(node).ShouldBe(CheckResult.Ok);
        log.Lines("LogWrong").Count.ShouldBe(1);
        await using EventSourcedNode next = await Start(bank.Servers.Addresses, NullLoggerFactory.Instance, "another");
        next.Completion.IsCompleted.ShouldBeFalse();
    }

    // Compaction keeps the last event of each aggregate alone: what is folded of that is not a state.
    [Fact]
    public async Task Events_that_compaction_took_under_a_node_are_never_folded_around()
    {
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(
            new EmbeddedKafkaOptions { DataDirectory = Path.Combine(Data, "kafka"), CleanInterval = TimeSpan.FromMilliseconds(100) },
            NullLoggerFactory.Instance, cancellationToken: Cancellation);
        ServerAddresses addresses = bank.Servers.Addresses with
        {
            Kafka = kafka.BootstrapServers, KafkaSettings = new Dictionary<string, string>(),
        };
        await using (EventSourcedNode node = await Start(addresses, NullLoggerFactory.Instance))
        {
            foreach ((string config, string value) in ((string, string)[])[("segment.ms", "1"), ("min.cleanable.dirty.ratio", "0"),
                ("cleanup.policy", "compact")])
                await Set(addresses, Topics.Events, config, value);
            await node.SendAsync(Movement.Open("a"), Cancellation);
            for (int i = 0; i < 20; i++)
                await node.SendAsync(Movement.Credit("a", 1), Cancellation);
            using var look = new PeriodicTimer(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            while (CommittedEvents(addresses) == 21)
                await look.WaitForNextTickAsync(Cancellation);
            AggregateView view = (await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation))!;
            (view.Version, ((AccountState)view.State).Balance).ShouldBe((21, 20));
        }

        Directory.Delete(Path.Combine(Data, "node"), recursive: true);
        await using EventSourcedNode again = await Start(addresses, NullLoggerFactory.Instance, acceptsLoss: true);
        AggregateParkedException parked = await Should.ThrowAsync<AggregateParkedException>(async () =>
            await again.Aggregates[0].Processor.ReadAsync(AggregateId.Parse("a"), Cancellation));
        parked.Message.ShouldContain("; 1 was due");
        (await again.SendAsync(Movement.Open("b"), Cancellation)).ShouldBeOfType<CommandResult.Accepted>();
    }

    private static CheckResult HealthCheckOf(EventSourcedNode node) => node.Checks.Single(c => c.Name == "topics").Look();

    private static async Task Set(ServerAddresses addresses, string topic, string config, string value)
    {
        using var provisioner = new TopicProvisioner(addresses.KafkaConnection);
        await provisioner.ApplyAsync(new TopicPlan([], [(topic, config, null, value)], []), Cancellation);
    }

    private int CommittedEvents(ServerAddresses addresses)
    {
        using IConsumer<byte[], byte[]> consumer =
            new ConsumerBuilder<byte[], byte[]>(addresses.KafkaConnection.BoundedReader("test")).Build();
        consumer.Assign(new TopicPartitionOffset(Topics.Events, 0, Offset.Beginning));
        int count = 0;
        while (consumer.Consume(Cancellation) is { IsPartitionEOF: false })
            count++;
        return count;
    }

    private Task<EventSourcedNode> Start(ServerAddresses addresses, ILoggerFactory loggers, string folder = "node",
        bool acceptsLoss = false) => EventSourcedNode.StartAsync(
        _application, addresses, new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(Data, folder),
            Partitions = 1,
            AcceptDataLoss = acceptsLoss,
        }, loggers, new HastyClock(), Cancellation);

    /// <summary>What is done every minute is done ten times a second.</summary>
    private sealed class HastyClock : TimeProvider
    {
        private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(100);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new HastyTimer(base.CreateTimer(callback, state, dueTime, period));

        private sealed class HastyTimer(ITimer timer) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) =>
                period == TimeSpan.FromMinutes(1) ? timer.Change(Soon, Soon) : timer.Change(dueTime, period);

            public void Dispose() => timer.Dispose();

            public ValueTask DisposeAsync() => timer.DisposeAsync();
        }
    }
}
