using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Messages;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>What producers, operators and Kafka itself see of the dead letters of a test's bank.</summary>
internal sealed class DeadLetterDesk : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly CachedSchemaRegistryClient _registry;
    private readonly IProducer<byte[]?, byte[]?> _producer;
    private readonly AvroMessageSerde _serde;
    private readonly KafkaConnection _connection;

    public DeadLetterDesk(ServerAddresses addresses, string application, string aggregate = "account")
    {
        Topics = new TopicFamily(application, aggregate);
        _connection = addresses.KafkaConnection;
        _registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = addresses.Registry });
        _serde = AvroMessageSerde.Create(_registry,
            [AvroRecordType.Of<OpenAccount>(), AvroRecordType.Of<Credit>(), AvroRecordType.Of<Debit>()]);
        ProducerConfig config = _connection.Producer();
        config.MessageMaxBytes = 2 * 1024 * 1024; // whatever the topic takes
        _producer = new ProducerBuilder<byte[]?, byte[]?>(config).Build();
    }

    public TopicFamily Topics { get; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Puts a record into the command topic, as a careless producer does.</summary>
    public Task Produce(string? key, byte[]? value, params (string Name, string Value)[] headers) =>
        Produce(Topics.Commands, key, value, headers);

    /// <summary>Puts a record into any topic of two partitions.</summary>
    public Task Produce(string topic, string? key, byte[]? value, params (string Name, string Value)[] headers) =>
        Produce(new TopicPartition(topic, PartitionOf(key)), key, value, headers);

    /// <summary>Puts a record into a partition of the command topic, whatever its key.</summary>
    public Task ProduceAt(int partition, string? key, byte[]? value, params (string Name, string Value)[] headers) =>
        Produce(new TopicPartition(Topics.Commands, partition), key, value, headers);

    /// <summary>Puts a record where it is told.</summary>
    public async Task Produce(TopicPartition place, string? key, byte[]? value, params (string Name, string Value)[] headers)
    {
        var message = new Message<byte[]?, byte[]?> { Key = key is null ? null : Encoding.UTF8.GetBytes(key), Value = value, Headers = [] };
        foreach ((string name, string text) in headers)
            message.Headers.Add(name, Encoding.UTF8.GetBytes(text));
        await _producer.ProduceAsync(place, message, Cancellation);
    }

    /// <summary>Puts a good command into the command topic without waiting for anything.</summary>
    public async Task Post(CommandEnvelope command)
    {
        await Produce(command.AggregateId.Value, await Encode(command.Payload), ("ce_id", command.CommandId.Value));
    }

    /// <summary>A command as the value of its record.</summary>
    public async Task<byte[]> Encode(object command)
    {
        TopicEncoder encoder = await _serde.PrepareAsync(Topics.Commands, [command.GetType()], Cancellation);
        var value = new System.Buffers.ArrayBufferWriter<byte>();
        encoder.Encode((IAvroRecord)command, value);
        return value.WrittenSpan.ToArray();
    }

    /// <summary>The first <paramref name="count"/> replies of all <paramref name="partitions"/>, as soon as they are there.</summary>
    public List<(int Partition, CommandReply Reply)> Replies(int partitions, int count)
    {
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(_connection.Consumer(Topics.Application)).Build();
        consumer.Assign(Enumerable.Range(0, partitions).Select(p => new TopicPartitionOffset(Topics.Replies, p, Offset.Beginning)));
        var replies = new List<(int, CommandReply)>();
        while (replies.Count < count)
        {
            ConsumeResult<byte[], byte[]> record = consumer.Consume(Cancellation);
            if (record.Message.Value is { } value)
                replies.Add((record.Partition.Value, (CommandReply)_serde.Decode(value)));
        }

        return replies;
    }

    /// <summary>The letters of all partitions.</summary>
    public List<DeadLetter> Letters(bool withResolved = false) => Letters(2, withResolved);

    /// <summary>The letters of all <paramref name="partitions"/>.</summary>
    public List<DeadLetter> Letters(int partitions, bool withResolved = false) =>
        [.. Enumerable.Range(0, partitions).SelectMany(p =>
            new DeadLetterReader(_connection, Topics.DeadLetters).Read(p, 0, withResolved, m => throw new InvalidDataException(m),
                Cancellation))];

    public ConsumeResult<byte[], byte[]> Fetch(DeadLetter letter) =>
        new DeadLetterReader(_connection, Topics.DeadLetters).Fetch([letter], Cancellation).Single();

    public CommandReply Retry(string aggregate) =>
        Ask(PartitionOf(aggregate), AggregateId.Parse(aggregate), new DeadLetterRequest(false, null, "Ada", null));

    public CommandReply Discard(string aggregate, long? offset = null) =>
        Ask(PartitionOf(aggregate), AggregateId.Parse(aggregate), new DeadLetterRequest(true, offset, "Ada", "a test"));

    public CommandReply Ask(int partition, AggregateId aggregate, DeadLetterRequest request)
    {
        using var client = new DeadLetterClient(_connection, Topics, _serde, TimeProvider.System);
        return client.Ask(partition, aggregate, request, Timeout, Cancellation);
    }

    public static int PartitionOf(string? key) => key is null ? 0 : Murmur2.Partition(Encoding.UTF8.GetBytes(key), 2);

    public void Dispose()
    {
        _producer.Dispose();
        _registry.Dispose();
    }
}
