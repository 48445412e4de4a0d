using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Processing.Tests;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>
/// A node served on an events topic with a retention of a week, and on a command topic with more partitions than it knew, and said nothing.
/// </summary>
public sealed class TopicFamilyWatchTests(ServersFixture fixture) : IClassFixture<ServersFixture>, IAsyncLifetime
{
    private const int Partitions = 2;

    private readonly TestServers _servers = fixture.Servers;
    private readonly TopicFamily _topics = new(TestServers.UniqueName("app"), "thing");
    private IAdminClient _admin = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _admin = new AdminClientBuilder(_servers.Addresses.KafkaConnection.Admin()).Build();
        using var provisioner = new TopicProvisioner(_servers.Addresses.KafkaConnection);
        await provisioner.ApplyAsync(await provisioner.PlanMissingAsync(_topics, Partitions, -1, isProcess: true, Cancellation),
            Cancellation);
    }

    public ValueTask DisposeAsync()
    {
        _admin.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Topics_as_a_node_makes_them_have_nothing_that_is_told()
    {
        await using TopicFamilyWatch watch = await Start();
        watch.Status.Of(TopicRisk.Unusable).Concat(watch.Status.Of(TopicRisk.LosesData)).ShouldBeEmpty();
        watch.Status.IsSafe.ShouldBeTrue();
    }

    [Theory]
    [InlineData("events", "retention.ms", "604800000", "retention.ms is 604800000; it must be -1. What is older than 7 days is deleted.")]
    [InlineData("events", "retention.bytes", "1000000", "retention.bytes is 1000000; it must be -1.")]
    [InlineData("events", "cleanup.policy", "compact",
        "cleanup.policy is compact; it must be delete. Of each key the last record alone is kept.")]
    [InlineData("events", "max.message.bytes", "65536", "max.message.bytes is 65536; it must be at least 1000000.")]
    [InlineData("commands", "cleanup.policy", "compact,delete", "cleanup.policy is compact,delete; it must be delete.")]
    [InlineData("dead-letters", "retention.ms", "86400000",
        "retention.ms is 86400000; it must be -1. What is older than 1 days is deleted.")]
    [InlineData("dead-letters", "max.message.bytes", "1048588", "max.message.bytes is 1048588; it must be at least 2097152.")]
    [InlineData("snapshots", "cleanup.policy", "compact,delete",
        "cleanup.policy is compact,delete; it must be compact. With retention.ms=604800000 what is older than 7 days is deleted.")]
    [InlineData("owners", "cleanup.policy", "delete", "cleanup.policy is delete; it must be compact.")]
    [InlineData("timers", "cleanup.policy", "delete", "cleanup.policy is delete; it must be compact.")]
    public async Task Topic_that_loses_data_is_refused_at_start_and_taken_only_when_told_so(
        string topic, string config, string value, string told)
    {
        string name = $"{_topics.Application}.{_topics.Aggregate}.{topic}";
        await Set(name, config, value);
        InvalidInputException refused = await Should.ThrowAsync<InvalidInputException>(Start());
        refused.Message.ShouldContain($"{name}: {told}");
        refused.Message.ShouldContain("kes topics apply");
        refused.Message.ShouldContain("--accept-data-loss");
        await using TopicFamilyWatch watch = await Start(acceptsLoss: true);
        watch.Status.IsSafe.ShouldBeFalse();
        watch.Status.IsUsable.ShouldBeTrue();
        watch.Status.Of(TopicRisk.LosesData).ShouldContain(f => f.Topic == name);
    }

    [Theory]
    [InlineData("events", "cleanup.policy", "delete")]
    [InlineData("events", "segment.ms", "3600000")]
    [InlineData("commands", "retention.ms", "-1")]
    [InlineData("commands", "max.message.bytes", "10485760")]
    public async Task Topic_that_is_otherwise_and_loses_nothing_is_taken(string topic, string config, string value)
    {
        await Set($"{_topics.Application}.{_topics.Aggregate}.{topic}", config, value);
        await using TopicFamilyWatch watch = await Start();
        watch.Status.IsSafe.ShouldBeTrue();
    }

    [Fact]
    public async Task Config_that_is_changed_under_a_node_is_seen_with_the_clock_and_logged_once()
    {
        var clock = new ManualClock(new DateTimeOffset(2026, 5, 1, 8, 0, 0, TimeSpan.Zero));
        var log = new ErrorLog();
        await using TopicFamilyWatch watch = await Start(time: clock, logger: log);
        await Set(_topics.Events, "retention.ms", "3600000");
        watch.Status.IsSafe.ShouldBeTrue();
        clock.Advance(TimeSpan.FromHours(1));
        string line = await log.First.WaitAsync(Cancellation);
        line.ShouldContain($"{_topics.Events}: retention.ms is 3600000; it must be -1.");
        (await watch.LookAsync(Cancellation)).IsSafe.ShouldBeFalse();
        log.Lines.ShouldBe(1);
        await Set(_topics.Events, "retention.ms", "-1");
        (await watch.LookAsync(Cancellation)).IsSafe.ShouldBeTrue();
    }

    [Fact]
    public async Task Partition_counts_that_differ_are_refused_whatever_is_accepted()
    {
        await Grow(_topics.Snapshots, 3);
        InvalidInputException refused = await Should.ThrowAsync<InvalidInputException>(Start(acceptsLoss: true));
        refused.Message.ShouldContain($"{_topics.Snapshots}: partitions is 3; it must be 2, as of {_topics.Commands}.");
        refused.Message.ShouldNotContain("--accept-data-loss");
    }

    [Fact]
    public async Task Topics_that_grow_under_a_node_make_it_unusable_though_they_agree_among_themselves()
    {
        await using TopicFamilyWatch watch = await Start();
        foreach (string topic in _topics.All(isProcess: true))
            await Grow(topic, 8);
        TopicStatus status = await watch.LookAsync(Cancellation);
        status.IsUsable.ShouldBeFalse();
        status.Of(TopicRisk.Unusable).First().ToString()
            .ShouldStartWith($"{_topics.Commands}: partitions is 8; it must be 2. It has got more since this node started: keys have "
                + $"moved, and nobody reads the partitions 2 to 7.");
    }

    [Fact]
    public async Task Topic_that_is_deleted_under_a_node_is_told()
    {
        await using TopicFamilyWatch watch = await Start();
        await _admin.DeleteTopicsAsync([_topics.Events]);
        TopicStatus status = await watch.LookAsync(Cancellation);
        status.Of(TopicRisk.Unusable).Select(f => f.ToString()).ShouldBe(
            [$"{_topics.Events}: partitions is 0; it must be more. The cluster says: Broker: Unknown topic or partition"]);
    }

    private Task<TopicFamilyWatch> Start(bool acceptsLoss = false, TimeProvider? time = null, ILogger? logger = null) =>
        TopicFamilyWatch.StartAsync(_servers.Addresses.KafkaConnection, _topics, isProcess: true, acceptsLoss, time ?? TimeProvider.System,
            logger ?? NullLogger.Instance, Cancellation);

    // By the provisioner, which returns when the brokers show it.
    private async Task Set(string topic, string config, string value)
    {
        using var provisioner = new TopicProvisioner(_servers.Addresses.KafkaConnection);
        await provisioner.ApplyAsync(new TopicPlan([], [(topic, config, null, value)], []), Cancellation);
    }

    private async Task Grow(string topic, int partitions) =>
        await _admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = topic, IncreaseTo = partitions }]);

    private sealed class ErrorLog : ILogger
    {
        private readonly TaskCompletionSource<string> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _lines;

        public Task<string> First => _first.Task;

        public int Lines => Volatile.Read(ref _lines);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (logLevel < LogLevel.Error)
                return;
            Interlocked.Increment(ref _lines);
            _first.TrySetResult(formatter(state, exception));
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;
    }
}
