using System.Buffers;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog.Tests;

public sealed class CommandClientTests : IAsyncLifetime
{
    private const int Partitions = 1;

    private TestServers _servers = null!;
    private CachedSchemaRegistryClient _registry = null!;
    private TopicFamily _topics = null!;
    private KafkaConnection _connection = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);

        _registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _servers.Addresses.Registry });
        _topics = new TopicFamily(TestServers.UniqueName("app"), "thing");
        // A topic that was there is missed at once, and not after the 30 s that a new one may take to be shown.
        _connection = _servers.Addresses.KafkaConnection with { Settings = new Dictionary<string, string> { ["topic.metadata.propagation.max.ms"] = "0" } };
        await CreateTopics();
    }

    public async ValueTask DisposeAsync()
    {
        _registry.Dispose();
        await _servers.DisposeAsync();
    }

    // The reader of replies ended for good at one error, and every command after it was a time-out.
    [Fact]
    public async Task Reply_after_the_replies_topic_was_away_is_read()
    {
        AvroMessageSerde serde = AvroMessageSerde.Create(_registry, [AvroRecordType.Of<CommandReply>()]);
        using var log = new ReplyLog();
        await using CommandClient client = await CommandClient.Start(
            _connection, _topics, serde, [typeof(CommandReply)], new CommandClientOptions { Timeout = TimeSpan.FromMinutes(2) }, TimeProvider.System, log, Cancellation);
        using (IAdminClient admin = new AdminClientBuilder(_connection.Admin()).Build())
            await admin.DeleteTopicsAsync([_topics.Replies]);
        await log.Told.WaitAsync(Cancellation);
        await CreateTopics();

        var aggregate = AggregateId.Parse("one");
        var command = CommandId.New(TimeProvider.System);
        Task<CommandResult> outcome = client.Send(new CommandEnvelope(aggregate, command, Reply(aggregate, command)), Cancellation);
        await Task.Run(() => Answer(serde, Reply(aggregate, command)), Cancellation);
        (await outcome).ShouldBeOfType<CommandResult.Accepted>().Version.ShouldBe(7);
    }

    private static CommandReply Reply(AggregateId aggregate, CommandId command) => new() { CommandId = command.Value, AggregateId = aggregate.Value, Outcome = ReplyOutcome.Accepted, Version = 7, EventPartition = 0, EventOffset = 41 };

    private async Task CreateTopics()
    {
        using var provisioner = new TopicProvisioner(_servers.Addresses.KafkaConnection);
        await provisioner.Apply(await provisioner.Plan(TopicDeclaration.For(_topics, Partitions, -1), Cancellation), Cancellation);
    }

    private async Task Answer(AvroMessageSerde serde, CommandReply reply)
    {
        using IConsumer<byte[], byte[]> commands = new ConsumerBuilder<byte[], byte[]>(_connection.Consumer("test")).Build();
        commands.Assign(new TopicPartitionOffset(_topics.Commands, 0, Offset.Beginning));
        ConsumeResult<byte[], byte[]> command = commands.Consume(Cancellation);
        string[] replyTo = Encoding.UTF8.GetString(CloudEventHeaders.Find(command.Message.Headers, CloudEventHeaders.ReplyTo)!).Split('/');
        var value = new ArrayBufferWriter<byte>();
        (await serde.Prepare(_topics.Replies, [typeof(CommandReply)], Cancellation)).Encode(reply, value);
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(_connection.Producer()).Build();
        await producer.ProduceAsync(
            new TopicPartition(_topics.Replies, int.Parse(replyTo[0], System.Globalization.CultureInfo.InvariantCulture)), new Message<byte[], byte[]> { Value = value.WrittenSpan.ToArray() }, Cancellation);
    }

    /// <summary>Completes when the client says that replies cannot be read.</summary>
    private sealed class ReplyLog : ILoggerFactory, ILogger
    {
        private readonly TaskCompletionSource _told = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Told => _told.Task;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
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
