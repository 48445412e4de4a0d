using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class EventSubscriptionTests : IAsyncLifetime
{
    private const int Partitions = 2;

    private readonly CancellationTokenSource _stop = new();
    private TestServers _servers = null!;
    private CachedSchemaRegistryClient _registry = null!;
    private TopicFamily _topics = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);

        _registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _servers.Addresses.Registry });
        _topics = new TopicFamily(TestServers.UniqueName("app"), "thing");
        using var provisioner = new TopicProvisioner(_servers.Addresses.KafkaConnection);
        await provisioner.Apply(await provisioner.Plan(TopicDeclaration.For(_topics, Partitions, -1), Cancellation), Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _stop.Dispose();
        _registry.Dispose();
        await _servers.DisposeAsync();
    }

    // librdkafka's close waits for the answer to a rebalance, and Confluent.Kafka gives a wrong one when the handler throws while something is assigned already.
    [Fact]
    public async Task Subscription_that_is_stopped_while_it_asks_where_to_begin_ends()
    {
        using var stopOther = new CancellationTokenSource();
        var first = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var otherHasAll = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        int asked = 0;
        Task other = Run(
            _ =>
            {
                if (++asked == Partitions)
                    otherHasAll.SetResult();
                return default;
            },
            stopOther.Token);
        await otherHasAll.Task.WaitAsync(Cancellation);
        Task running = Run(
            async token =>
            {
                if (first.TrySetResult())
                    return null;
                second.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, token);
                return null;
            },
            _stop.Token);
        await first.Task.WaitAsync(Cancellation);
        await stopOther.CancelAsync();
        await other.WaitAsync(Cancellation);
        await second.Task.WaitAsync(Cancellation);

        await _stop.CancelAsync();
        await running.WaitAsync(Cancellation);
    }

    [Fact]
    public async Task Subscription_that_cannot_learn_where_to_begin_ends_with_the_reason()
    {
        Task running = Run(_ => throw new InvalidDataException("The position is gone."), _stop.Token);
        (await Should.ThrowAsync<InvalidDataException>(running.WaitAsync(Cancellation))).Message.ShouldBe("The position is gone.");
    }

    private Task Run(Func<CancellationToken, ValueTask<long?>> startOf, CancellationToken stop)
    {
        var options = new EventSubscriptionOptions { GroupId = $"{_topics.Application}-readers" };
        var subscription = new EventSubscription(_servers.Addresses.KafkaConnection, _topics, AvroMessageSerde.Create(_registry, []), options, TimeProvider.System, NullLoggerFactory.Instance);
        return subscription.Run((_, token) => startOf(token), (_, _) => Task.CompletedTask, stop);
    }
}
