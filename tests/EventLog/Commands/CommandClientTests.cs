using System.Buffers;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class CommandClientTests : IAsyncLifetime
{
    private readonly MockCluster _cluster = new(brokers: 1);
    private readonly TopicFamily _topics = new("app", "thing");
    private TestServers _servers = null!;
    private CachedSchemaRegistryClient _registry = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);

        _registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _servers.Addresses.Registry });
        _cluster.CreateTopic(_topics.Commands, partitions: 1, replicas: 1);
        _cluster.CreateTopic(_topics.Replies, partitions: 1, replicas: 1);
    }

    public async ValueTask DisposeAsync()
    {
        _registry.Dispose();
        _cluster.Dispose();
        await _servers.DisposeAsync();
    }

    // The reader of replies ended for good at one error, and every command after it was a time-out.
    [Fact]
    public async Task Replies_are_read_again_after_an_error_and_who_waits_meanwhile_is_told_at_once()
    {
        AvroMessageSerde serde = AvroMessageSerde.Create(_registry, [AvroRecordType.Of<CommandReply>()]);
        using var log = new ReplyLog();
        await using CommandClient client = await CommandClient.StartAsync(
            _cluster.Connection, _topics, serde, [typeof(CommandReply)], new CommandClientOptions { Timeout = TimeSpan.FromMinutes(2) },
            TimeProvider.System, log, Cancellation);
        var aggregate = AggregateId.Parse("one");
        var first = CommandId.New(TimeProvider.System);
        Task<CommandResult> unread = client.SendAsync(new CommandEnvelope(aggregate, first, Reply(aggregate, first)), Cancellation);
        _cluster.Refuse(MockCluster.Fetch, ErrorCode.TopicAuthorizationFailed, 1);
        await log.Told.WaitAsync(Cancellation);
        (await Should.ThrowAsync<TimeoutException>(unread.WaitAsync(Cancellation))).Message.ShouldContain("The outcome is not known");

        var second = CommandId.New(TimeProvider.System);
        Task<CommandResult> outcome = client.SendAsync(new CommandEnvelope(aggregate, second, Reply(aggregate, second)), Cancellation);
        await Answer(serde, Reply(aggregate, second));
        (await outcome.WaitAsync(Cancellation)).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(7);
    }

    private static CommandReply Reply(AggregateId aggregate, CommandId command) =>
        new()
        {
            CommandId = command.Value,
            AggregateId = aggregate.Value,
            Outcome = ReplyOutcome.Accepted,
            Version = 7,
            EventPartition = 0,
            EventOffset = 41,
        };

    private async Task Answer(AvroMessageSerde serde, CommandReply reply)
    {
        var value = new ArrayBufferWriter<byte>();
        (await serde.PrepareAsync(_topics.Replies, [typeof(CommandReply)], Cancellation)).Encode(reply, value);
        using IProducer<Null, byte[]> producer = new ProducerBuilder<Null, byte[]>(_cluster.Connection.Producer()).Build();
        await producer.ProduceAsync(new TopicPartition(_topics.Replies, 0),
            new Message<Null, byte[]> { Value = value.WrittenSpan.ToArray() }, Cancellation);
    }

    /// <summary>Completes when the client says that replies cannot be read.</summary>
    private sealed class ReplyLog : ILoggerFactory, ILogger
    {
        private readonly TaskCompletionSource _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Told => _told.Task;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception).StartsWith("replies ", StringComparison.Ordinal))
                _told.TrySetResult();
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
