using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Hosting.Health;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

public sealed class GrownTopicTests(BankFixture bank)
{
    private const int Partitions = 2;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // A command in a partition that had come behind the node's back was never read; health was 200, nothing was logged, and a restart ended
    // with "This should not have happened".
    [Fact]
    public async Task Command_topic_that_grows_under_a_node_makes_it_not_ready_and_the_next_start_says_why()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        var topics = new TopicFamily(application.Name, application.Aggregates[0].Name);
        using var log = new GrowthLog();
        await using (EventSourcedNode node = await Start(application, log))
        {
            node.IsReady.ShouldBeTrue();
            using (IAdminClient admin = new AdminClientBuilder(bank.Servers.Addresses.KafkaConnection.Admin()).Build())
                await admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = topics.Commands, IncreaseTo = 2 * Partitions }]);
            (await log.Told.WaitAsync(Cancellation)).ShouldBe(
                $"{topics.Commands} has got more partitions than the {Partitions} that it had when this node started: keys have moved, "
                    + $"and nobody reads 2, 3");
            node.IsReady.ShouldBeFalse();
            node.Checks.Single(c => c.Name == "topics").Look().ShouldBe(
                CheckResult.Failing($"{topics.Commands} has got more partitions since this node started: nobody reads 2, 3."));
            node.Checks.Single(c => c.Name == "partitions").Look().ShouldBe(CheckResult.Ok);
            node.Completion.IsCompleted.ShouldBeFalse();
        }

        InvalidInputException refused = await Should.ThrowAsync<InvalidInputException>(Start(application, NullLoggerFactory.Instance));
        refused.Message.ShouldContain($"{topics.Events}: partitions is 2; it must be 4, as of {topics.Commands}.");
    }

    // They were made with the number of partitions of the command line, and a node could not publish who owns the others.
    [Fact]
    public async Task Topic_that_is_missing_gets_as_many_partitions_as_its_family_has()
    {
        ApplicationDefinition application = BankFixture.NewBank();
        var topics = new TopicFamily(application.Name, application.Aggregates[0].Name);
        KafkaConnection kafka = bank.Servers.Addresses.KafkaConnection;
        using var provisioner = new TopicProvisioner(kafka);
        var earlier = new TopicDeclaration([.. TopicDeclaration.For(topics, 3, -1).Topics.Where(t => t.Name != topics.Owners)]);
        await provisioner.ApplyAsync(await provisioner.PlanAsync(earlier, Cancellation), Cancellation);
        await using EventSourcedNode node = await Start(application, NullLoggerFactory.Instance);
        (await provisioner.PlanAsync(TopicDeclaration.For(topics, 3, -1), Cancellation)).IsEmpty.ShouldBeTrue();
        node.Aggregates[0].TopicStatus.Findings.ShouldBeEmpty();
    }

    private Task<EventSourcedNode> Start(ApplicationDefinition application, ILoggerFactory loggers)
    {
        // A consumer sees by itself that its topic has grown, after five minutes unless told otherwise.
        ServerAddresses addresses = bank.Servers.Addresses with
        {
            KafkaSettings = new Dictionary<string, string>(bank.Servers.Addresses.KafkaSettings)
            {
                ["topic.metadata.refresh.interval.ms"] = "500",
            },
        };
        var options = new KafkaEventSourcingOptions
        {
            DataDirectory = Path.Combine(bank.Servers.Folder, application.Name), Partitions = Partitions,
        };
        return EventSourcedNode.StartAsync(application, addresses, options, loggers, TimeProvider.System, Cancellation);
    }

    /// <summary>Completes with the line that reports more partitions.</summary>
    private sealed class GrowthLog : ILoggerFactory, ILogger
    {
        private readonly TaskCompletionSource<string> _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Told => _told.Task;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel == LogLevel.Error
                && formatter(state, exception) is var line
                && line.Contains("has got more partitions", StringComparison.Ordinal))
                _told.TrySetResult(line);
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public void Dispose()
        {
        }
    }
}
