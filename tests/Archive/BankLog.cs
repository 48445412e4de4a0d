using System.Buffers;
using System.Globalization;
using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.Archive.Tests;

/// <summary>An events topic of accounts with a name of its own, on servers that tests share.</summary>
internal sealed class BankLog : IAsyncDisposable
{
    private readonly IProducer<byte[], byte[]> _producer;
    private readonly TopicEncoder _encoder;
    private readonly Dictionary<string, long> _versions = [];

    private BankLog(TestServers servers, TopicFamily topics, CachedSchemaRegistryClient registry, TopicEncoder encoder)
    {
        (Kafka, Topics, Registry, _encoder) = (servers.Addresses.KafkaConnection, topics, registry, encoder);
        ProducerConfig config = Kafka.Producer();
        config.TransactionalId = topics.Application;
        _producer = new ProducerBuilder<byte[], byte[]>(config).SetErrorHandler((_, _) => { }).SetLogHandler((_, _) => { }).Build();
        _producer.InitTransactions(TimeSpan.FromSeconds(30));
    }

    public static DateTimeOffset Noon { get; } = new(2026, 3, 31, 12, 0, 0, TimeSpan.Zero);

    public KafkaConnection Kafka { get; }

    public TopicFamily Topics { get; }

    public CachedSchemaRegistryClient Registry { get; }

    public TopicPartition Partition => new(Topics.Events, 0);

    public TopicId Id { get; private set; }

    public static async Task<BankLog> CreateAsync(TestServers servers, CancellationToken cancellationToken)
    {
        var topics = new TopicFamily(TestServers.UniqueName("bank"), "account");
        using var provisioner = new TopicProvisioner(servers.Addresses.KafkaConnection);
        var declaration = new TopicDeclaration(
        [
            new TopicSpecification
            {
                Name = topics.Events,
                Partitions = 1,
                Configs = new Dictionary<string, string> { ["retention.ms"] = "-1" },
            },
            new TopicSpecification { Name = topics.DeadLetters, Partitions = 1 },
        ]);
        await provisioner.ApplyAsync(await provisioner.PlanAsync(declaration, cancellationToken), cancellationToken);
        var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Addresses.Registry });
        var serde = AvroMessageSerde.Create(registry, [AvroRecordType.Of<AccountOpened>(), AvroRecordType.Of<AccountFrozen>()]);
        TopicEncoder encoder = await serde.PrepareAsync(topics.Events, [typeof(AccountOpened), typeof(AccountFrozen)], cancellationToken);
        var log = new BankLog(servers, topics, registry, encoder);
        using IAdminClient admin = new AdminClientBuilder(log.Kafka.Admin()).Build();
        log.Id = (await TopicIds.OfAsync(admin, [topics.Events], TimeSpan.FromSeconds(10), cancellationToken))[topics.Events];
        return log;
    }

    /// <summary>
    /// Appends events of three accounts, two a transaction, an hour between them; each transaction has a marker behind it.
    /// </summary>
    public void Append(int transactions)
    {
        for (int i = 0; i < transactions; i++)
        {
            _producer.BeginTransaction();
            for (int j = 0; j < 2; j++)
                Produce($"acc-{((2 * i) + j) % 3}");
            _producer.CommitTransaction(TimeSpan.FromSeconds(30));
        }
    }

    /// <summary>Appends a record as it is.</summary>
    public void Append(Message<byte[], byte[]> message)
    {
        _producer.BeginTransaction();
        _producer.Produce(Partition, message);
        _producer.CommitTransaction(TimeSpan.FromSeconds(30));
    }

    /// <summary>The committed records of the topic.</summary>
    public IReadOnlyList<ConsumeResult<byte[], byte[]>> Read(CancellationToken cancellationToken) =>
        [.. PartitionLogReader.Read(Kafka with { Cold = null }, "test", Partition, 0, cancellationToken)];

    public async Task DeleteBefore(long offset)
    {
        using IAdminClient admin = new AdminClientBuilder(Kafka.Admin()).Build();
        await admin.DeleteRecordsAsync([new TopicPartitionOffset(Partition, offset)]);
    }

    public ValueTask DisposeAsync()
    {
        _producer.Dispose();
        Registry.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Produce(string id)
    {
        long version = _versions[id] = _versions.GetValueOrDefault(id) + 1;
        int count = (int)_versions.Values.Sum();
        DateTimeOffset time = Noon.AddHours(count);
        var value = new ArrayBufferWriter<byte>();
        if (version == 1)
            _encoder.Encode(new AccountOpened
            {
                Owner = $"Owner of {id}",
                Currency = "EUR",
                OverdraftLimit = 100,
                OpenedOn = new DateOnly(2026, 3, 31),
            }, value);
        else
            _encoder.Encode(new AccountFrozen { Reason = $"reason {version}" }, value);
        _producer.Produce(Partition, new Message<byte[], byte[]>
        {
            Key = Encoding.UTF8.GetBytes(id),
            Value = value.WrittenSpan.ToArray(),
            Timestamp = new Timestamp(time),
            Headers = new Headers
            {
                { CloudEventHeaders.Sequence, CloudEventHeaders.Encode(version) },
                { CloudEventHeaders.Time, CloudEventHeaders.Encode(time) },
                { CloudEventHeaders.CausationId, Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}-{version}")) },
            },
        });
    }
}
