using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
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
        await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, Partitions, -1), Cancellation),
            Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        _stop.Dispose();
        _registry.Dispose();
        await _servers.DisposeAsync();
    }

    // librdkafka's close waits for the answer to a rebalance, and Confluent.Kafka gives a wrong one when the handler throws while something
    // is assigned already.
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

    // A batch was bounded by the number of its events alone: 10,000 of a megabyte each may be one.
    [Fact]
    public async Task Batches_are_bounded_by_bytes_and_have_every_event_in_order()
    {
        const int count = 40;
        var serde = AvroMessageSerde.Create(_registry, []);
        await Produce(count, new string('x', 100_000), serde);
        var sizes = new List<(int Events, long Bytes)>();
        var offsets = new List<long>();
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var options = new EventSubscriptionOptions
        {
            GroupId = $"{_topics.Application}-large", MaxBatchBytes = 350_000, MaxWaitingBytes = 1_000_000,
        };
        var subscription = new EventSubscription(_servers.Addresses.KafkaConnection, _topics, serde, options, TimeProvider.System,
            NullLoggerFactory.Instance);
        Task running = subscription.RunAsync(
            (_, _) => default,
            (batch, _) =>
            {
                if (batch.Events.Count > 0)
                    sizes.Add((batch.Events.Count, batch.Events.Sum(e => (long)e.Bytes)));
                offsets.AddRange(batch.Events.Select(e => e.Offset));
                if (offsets.Count == count)
                    all.TrySetResult();
                return Task.CompletedTask;
            },
            _stop.Token);
        await Task.WhenAny(all.Task, running).WaitAsync(Cancellation);
        await _stop.CancelAsync();
        await running.WaitAsync(Cancellation);
        offsets.ShouldBe(Enumerable.Range(0, count).Select(i => (long)i));
        sizes.ShouldAllBe(s => s.Events <= 4 && s.Bytes < 500_000);
    }

    // Events of one partition, as a node writes them; their type is one of the engine's own.
    private async Task Produce(int count, string text, AvroMessageSerde serde)
    {
        TopicEncoder encoder = await serde.PrepareAsync(_topics.Events, [typeof(CommandReply)], Cancellation);
        var buffer = new PooledBuffer();
        encoder.Encode(new CommandReply
        {
            CommandId = "c",
            AggregateId = "a",
            Outcome = ReplyOutcome.Rejected,
            Version = 1,
            EventPartition = -1,
            EventOffset = -1,
            Message = text,
        }, buffer);
        byte[] value = buffer.WrittenSpan.ToArray();
        using IProducer<byte[], byte[]> producer =
            new ProducerBuilder<byte[], byte[]>(_servers.Addresses.KafkaConnection.Producer()).Build();
        for (int i = 1; i <= count; i++)
        {
            var headers = new Headers
            {
                { CloudEventHeaders.Sequence, CloudEventHeaders.Encode(i) },
                { CloudEventHeaders.Time, CloudEventHeaders.Encode(DateTimeOffset.UnixEpoch) },
                { CloudEventHeaders.CausationId, CloudEventHeaders.Encode(i) },
            };
            producer.Produce(new TopicPartition(_topics.Events, 0),
                new Message<byte[], byte[]> { Key = "a"u8.ToArray(), Value = value, Headers = headers });
        }

        producer.Flush(Cancellation);
    }

    private Task Run(Func<CancellationToken, ValueTask<long?>> startOf, CancellationToken stop)
    {
        var options = new EventSubscriptionOptions { GroupId = $"{_topics.Application}-readers" };
        var subscription = new EventSubscription(_servers.Addresses.KafkaConnection, _topics, AvroMessageSerde.Create(_registry, []),
            options, TimeProvider.System, NullLoggerFactory.Instance);
        return subscription.RunAsync((_, token) => startOf(token), (_, _) => Task.CompletedTask, stop);
    }
}
