using System.Buffers;
using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;
using TopicSpecification = KafkaEventSourcing.EventLog.TopicSpecification;

namespace KafkaEventSourcing.Streamiz.Tests;

/// <summary>An events topic of accounts with a name of its own, on servers that tests share, and streams that read it.</summary>
internal sealed class StreamLog : IAsyncDisposable
{
    public const int Partitions = 2;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TestServers _servers;
    private readonly IProducer<byte[], byte[]> _producer;
    private readonly TopicEncoder _encoder;
    private readonly Dictionary<string, long> _versions = [];
    private readonly string _folder;

    private StreamLog(TestServers servers, string application, TopicEncoder encoder)
    {
        (_servers, Application, _encoder) = (servers, application, encoder);
        _producer = new ProducerBuilder<byte[], byte[]>(servers.Addresses.KafkaConnection.Producer()).SetErrorHandler((_, _) => { })
            .SetLogHandler((_, _) => { }).Build();
        _folder = Path.Combine(servers.Folder, application);
    }

    public string Application { get; }

    public KafkaConnection Kafka => _servers.Addresses.KafkaConnection;

    public string EventsTopic => new TopicFamily(Application, "account").Events;

    public ApplicationServers Servers => ServersOf(_servers, Application);

    public static ApplicationServers ServersOf(TestServers servers, string application) => new()
    {
        Kafka = servers.Addresses.KafkaConnection,
        Registry = new SchemaRegistryConfig { Url = servers.Addresses.Registry },
        DataDirectory = Path.Combine(servers.Folder, application),
    };

    public static async Task<StreamLog> CreateAsync(TestServers servers, CancellationToken cancellationToken, string? application = null)
    {
        application ??= TestServers.UniqueName("app");
        var topics = new TopicFamily(application, "account");
        using var provisioner = new TopicProvisioner(servers.Addresses.KafkaConnection);
        var declaration = new TopicDeclaration(
        [
            new TopicSpecification
            {
                Name = topics.Events, Partitions = Partitions, Configs = new Dictionary<string, string> { ["retention.ms"] = "-1" },
            },
            new TopicSpecification { Name = topics.DeadLetters, Partitions = Partitions }, // who reads events looks there
        ]);
        await provisioner.ApplyAsync(await provisioner.PlanAsync(declaration, cancellationToken), cancellationToken);
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Addresses.Registry });
        var serde = AvroMessageSerde.Create(registry, Account.Definition.EventTypes.Select(RecordTypes.Of));
        TopicEncoder encoder = await serde.PrepareAsync(topics.Events, Account.Definition.EventTypes, cancellationToken);
        return new StreamLog(servers, application, encoder);
    }

    /// <summary>A name for a definition that no other test has.</summary>
    public string Name => $"{Application}-streams";

    /// <summary>Appends the next event of an account, and returns where it is.</summary>
    public async Task<ConsistencyToken> AppendAsync(string id, object @event, DateTimeOffset? time = null)
    {
        long version = _versions[id] = _versions.GetValueOrDefault(id) + 1;
        DateTimeOffset at = time ?? BankStreams.Noon;
        var value = new ArrayBufferWriter<byte>();
        _encoder.Encode((IAvroRecord)@event, value);
        byte[] key = Encoding.UTF8.GetBytes(id);
        DeliveryResult<byte[], byte[]> written = await _producer.ProduceAsync(
            new TopicPartition(EventsTopic, Murmur2.Partition(key, Partitions)),
            new Message<byte[], byte[]>
            {
                Key = key,
                Value = value.WrittenSpan.ToArray(),
                Timestamp = new Timestamp(at),
                Headers = EventHeaders.Of(Account.Definition, id, version, at, CommandId.Parse($"{id}-{version}"), @event),
            });
        return new ConsistencyToken(written.Partition.Value, written.Offset.Value);
    }

    /// <summary>Appends the next event of an account as one that nobody can read, and that an operator has discarded.</summary>
    public async Task AppendDiscardedAsync(string id)
    {
        long version = _versions[id] = _versions.GetValueOrDefault(id) + 1;
        byte[] key = Encoding.UTF8.GetBytes(id);
        var place = new TopicPartition(EventsTopic, Murmur2.Partition(key, Partitions));
        var record = new ConsumeResult<byte[], byte[]>
        {
            Message = new Message<byte[], byte[]>
            {
                Key = key,
                Value = [0, 0x7f, 0x7f, 0x7f, 0x7f, 1], // of a schema that no registry has
                Timestamp = new Timestamp(BankStreams.Noon),
                Headers = EventHeaders.Of(Account.Definition, id, version, BankStreams.Noon, CommandId.Parse($"{id}-{version}"),
                    BankStreams.Opened()),
            },
        };
        record.TopicPartitionOffset = (await _producer.ProduceAsync(place, record.Message)).TopicPartitionOffset;
        var letter = new TopicPartition(new TopicFamily(Application, "account").DeadLetters, place.Partition);
        DeliveryResult<byte[], byte[]> parked = await _producer.ProduceAsync(letter,
            DeadLetterFormat.Parked(record, "undecodable", "nobody can read it", queued: false, BankStreams.Noon));
        await _producer.ProduceAsync(letter,
            DeadLetterFormat.Discarded(key, parked.Offset.Value, "operator", "lost", BankStreams.Noon, record.Offset.Value));
    }

    /// <summary>Appends accounts with a number of credits of 1 each, and returns the places of their last events.</summary>
    public async Task<IReadOnlyList<ConsistencyToken>> AppendAccountsAsync(int accounts, int credits)
    {
        var last = new ConsistencyToken[accounts];
        for (int account = 0; account < accounts; account++)
        {
            string id = $"a{account}";
            if (!_versions.ContainsKey(id))
                await AppendAsync(id, BankStreams.Opened());
            for (int credit = 0; credit < credits; credit++)
                last[account] = await AppendAsync(id, BankStreams.Credited(1, _versions[id]));
        }

        return last;
    }

    /// <summary>Starts streams; <paramref name="process"/> is the folder of one that is not the first.</summary>
    public EventStreamsRunner Start(EventStreamsDefinition definition, bool exactlyOnce, StreamClientsFactory? clients = null,
        string? process = null, int batch = 800)
    {
        var options = new EventStreamsOptions
        {
            ExactlyOnce = exactlyOnce, CommitInterval = TimeSpan.FromMilliseconds(50), SessionTimeout = TimeSpan.FromSeconds(10),
            MaxPollRecords = batch, DataDirectory = process is null ? null : Path.Combine(_folder, process),
        };
        return EventStreamsRunner.Start(definition, Application, Servers, options,
            clients ?? (static settings => new StreamClients(settings)), TestServers.Loggers, TimeProvider.System);
    }

    /// <summary>One start of <paramref name="definition"/>, which may fail.</summary>
    public async Task<StreamRun> StartOnceAsync(EventStreamsDefinition definition, CancellationToken cancellationToken)
    {
        using StreamFolder folder = StreamFolder.Take(_folder, definition.Name);
        return await StreamRun.StartAsync(definition, Application, new EventStreamsOptions(), Servers, folder,
            static settings => new StreamClients(settings),
            TestServers.Loggers, cancellationToken);
    }

    /// <summary>Deletes the events topic and makes it again; versions begin anew.</summary>
    public async Task MakeEventsAgainAsync(CancellationToken cancellationToken)
    {
        using IAdminClient admin = new AdminClientBuilder(Kafka.Admin()).Build();
        await admin.DeleteTopicsAsync([EventsTopic], new DeleteTopicsOptions { OperationTimeout = Patience });
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (admin.GetMetadata(Patience).Topics.Exists(t => t.Topic == EventsTopic && !t.Error.IsError))
            await timer.WaitForNextTickAsync(cancellationToken);
        await admin.CreateTopicsAsync([new Confluent.Kafka.Admin.TopicSpecification { Name = EventsTopic, NumPartitions = Partitions }],
            new CreateTopicsOptions { OperationTimeout = Patience });
        _versions.Clear();
    }

    /// <summary>Deletes what is before <paramref name="place"/>, as an archive may.</summary>
    public async Task CutAsync(ConsistencyToken place)
    {
        using IAdminClient admin = new AdminClientBuilder(Kafka.Admin()).Build();
        await admin.DeleteRecordsAsync([new TopicPartitionOffset(EventsTopic, place.Partition, place.Offset)]);
    }

    /// <summary>Sets the position of streams that do not run.</summary>
    public async Task SetPositionAsync(EventStreamsDefinition definition, ConsistencyToken place)
    {
        using IAdminClient admin = new AdminClientBuilder(Kafka.Admin()).Build();
        await admin.AlterConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitionOffsets(definition.Name,
            [new TopicPartitionOffset(EventsTopic, place.Partition, place.Offset)])]);
    }

    /// <summary>What readers of what is committed see in a topic.</summary>
    public IReadOnlyList<ConsumeResult<byte[], byte[]>> Read(string topic, CancellationToken cancellationToken)
    {
        using IAdminClient admin = new AdminClientBuilder(Kafka.Admin()).Build();
        IReadOnlyList<int> partitions = TopicPartitions.Of(admin, topic, Patience);
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(Kafka.BoundedReader("test")).Build();
        consumer.Assign(partitions.Select(p => new TopicPartitionOffset(topic, p, Offset.Beginning)));
        var records = new List<ConsumeResult<byte[], byte[]>>();
        for (int ends = 0; ends < partitions.Count;)
        {
            ConsumeResult<byte[], byte[]> result = consumer.Consume(cancellationToken);
            if (result.IsPartitionEOF)
                ends++;
            else
                records.Add(result);
        }

        return records;
    }

    /// <summary>Has the streams, which must not run, read everything again.</summary>
    public async Task RewindAsync(EventStreamsDefinition definition)
    {
        using IAdminClient admin = new AdminClientBuilder(Kafka.Admin()).Build();
        await admin.AlterConsumerGroupOffsetsAsync([new ConsumerGroupTopicPartitionOffsets(definition.Name,
            [.. Enumerable.Range(0, Partitions).Select(p => new TopicPartitionOffset(EventsTopic, p, 0))])]);
    }

    /// <summary>Has the streams, which must not run, begin without positions, as after they have expired.</summary>
    public async Task ForgetPositionsAsync(EventStreamsDefinition definition)
    {
        using IAdminClient admin = new AdminClientBuilder(Kafka.Admin()).Build();
        await admin.DeleteGroupsAsync([definition.Name]);
    }

    /// <summary>What <c>kes streams reset</c> does, but that the next start makes the topics.</summary>
    public async Task ResetAsync(EventStreamsDefinition definition, CancellationToken cancellationToken)
    {
        await RewindAsync(definition);
        using IAdminClient admin = new AdminClientBuilder(Kafka.Admin()).Build();
        await admin.DeleteTopicsAsync(definition.Topics, new DeleteTopicsOptions { OperationTimeout = Patience });
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (admin.GetMetadata(Patience).Topics.Exists(t => definition.Topics.Contains(t.Topic) && !t.Error.IsError))
            await timer.WaitForNextTickAsync(cancellationToken);
    }

    public void DeleteState() => Directory.Delete(Path.Combine(_folder, "streams"), recursive: true);

    public ValueTask DisposeAsync()
    {
        _producer.Dispose();
        return ValueTask.CompletedTask;
    }
}
