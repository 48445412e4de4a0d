using System.Buffers;
using System.Text;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using Counting;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Processing.Tests;

/// <summary>A schema registry, and records as a consumer hands them out.</summary>
public sealed class ProcessingFixture : IAsyncLifetime
{
    public const int Partition = 1;
    public const string Topic = "app.counter.commands";
    public static readonly DateTimeOffset RecordTime = new(2026, 5, 1, 8, 0, 0, TimeSpan.Zero);

    private TestServers _servers = null!;
    private CachedSchemaRegistryClient _registry = null!;
    private AvroMessageSerde _serde = null!;

    public TopicEncoder Encoder { get; private set; } = null!;

    internal ProcessorEncoders Encoders { get; private set; } = null!;

    internal AvroMessageSerde Serde => _serde;

    public ISchemaRegistryClient Registry => _registry;

    public KafkaConnection Kafka => _servers.Addresses.KafkaConnection;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(TestContext.Current.CancellationToken);

        _registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _servers.Addresses.Registry });
        _serde = AvroMessageSerde.Create(_registry, Counter.Types);
        Encoders = new ProcessorEncoders(null!, null!, null!, null!,
            await _serde.PrepareAsync("app.counter.timers", [typeof(Avro.Messages.TimerElapsed)], TestContext.Current.CancellationToken),
            await ProcessRoutes.Prepare(Counter.Process, "app", [Counter.Definition, Counter.Process], _serde,
                TestContext.Current.CancellationToken));
        Encoder = await _serde.PrepareAsync(Topic, [typeof(Add), typeof(Fail), typeof(Added)], TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        _registry?.Dispose();
        if (_servers is not null)
            await _servers.DisposeAsync();
    }

    public byte[] Encode(IAvroRecord value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Encoder.Encode(value, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    internal ProcessEffects Outbox(AggregateDefinition definition, ProcessTimers? timers = null) =>
        new(definition, new TopicFamily("app", definition.Name), Partition, _serde, Encoders, timers, TimeProvider.System, 1_000);

    internal IAvroRecord Decode(byte[] value) => _serde.Decode(value);

    internal IncomingCommand Command(string aggregateId, string commandId, IAvroRecord payload, string? expected = null)
    {
        var headers = new Headers { { CloudEventHeaders.Id, Encoding.UTF8.GetBytes(commandId) } };
        if (expected is not null)
            headers.Add(CloudEventHeaders.ExpectedVersion, Encoding.UTF8.GetBytes(expected));
        IncomingCommand command = Read(Encoding.UTF8.GetBytes(aggregateId), Encode(payload), headers);
        command.Fault.ShouldBeNull();
        return command;
    }

    internal IncomingCommand Read(byte[]? key, byte[]? value, Headers? headers = null, string topic = Topic, Timestamp? timestamp = null,
        TopicId topicId = default)
    {
        var record = new ConsumeResult<byte[], byte[]>
        {
            TopicPartitionOffset = new TopicPartitionOffset(topic, Partition, 42),
            Message = new Message<byte[], byte[]>
            {
                Key = key!,
                Value = value!,
                Headers = headers ?? [],
                Timestamp = timestamp ?? new Timestamp(RecordTime),
            },
        };
        return CommandRecord.Read(record, topicId, _serde, Counter.Definition);
    }
}
