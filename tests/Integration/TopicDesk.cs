using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace KafkaEventSourcing.Integration.Tests;

/// <summary>
/// A bank of one partition, without read models unless it is given some, and what an operator may do to its topics and its group.
/// </summary>
internal sealed class TopicDesk : IDisposable
{
    public const int Partition = 0;

    private readonly TestServers _servers;
    private readonly bool _isProcess;
    private readonly CachedSchemaRegistryClient _registry;
    private readonly AvroMessageSerde _serde;
    private readonly IProducer<byte[], byte[]> _producer;
    private readonly IAdminClient _admin;
    private readonly TopicProvisioner _provisioner;

    /// <summary>
    /// The desk of the first aggregate type of <paramref name="application"/>; <paramref name="isProcess"/>: that is one.
    /// </summary>
    public TopicDesk(TestServers servers, ApplicationDefinition? application = null, bool isProcess = false)
    {
        (_servers, _isProcess) = (servers, isProcess);
        Application = application
            ?? EventSourcedApplication.Named(TestServers.UniqueName("places"), "A bank of a test.").With(Account.Definition).Build();
        Topics = new TopicFamily(Application.Name, Application.Aggregates[0].Name);
        Data = Path.Combine(servers.Folder, Application.Name);
        _registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = servers.Addresses.Registry });
        _serde = AvroMessageSerde.Create(_registry,
            [AvroRecordType.Of<OpenAccount>(), AvroRecordType.Of<Credit>(), AvroRecordType.Of<Debit>()]);
        _producer = new ProducerBuilder<byte[], byte[]>(servers.Addresses.KafkaConnection.Producer()).Build();
        _admin = new AdminClientBuilder(servers.Addresses.KafkaConnection.Admin()).Build();
        _provisioner = new TopicProvisioner(servers.Addresses.KafkaConnection);
    }

    public ApplicationDefinition Application { get; }

    public TopicFamily Topics { get; }

    public string Data { get; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public Task<EventSourcedNode> Start(NodeLog? log = null, int barrierEvents = 50_000, long? maxWaitingBytes = null) =>
        EventSourcedNode.StartAsync(
        Application,
        _servers.Addresses,
        new KafkaEventSourcingOptions
        {
            DataDirectory = Data,
            Partitions = 1,
            BarrierEvents = barrierEvents,
            MaxWaitingBytes = maxWaitingBytes,
            Processing = new ProcessingOptions { TopicCheckInterval = TimeSpan.FromMilliseconds(500) },
        },
        log ?? (Microsoft.Extensions.Logging.ILoggerFactory)NullLoggerFactory.Instance,
        TimeProvider.System,
        Cancellation);

    /// <summary>Puts commands into the command topic, without command ids unless they are said; they are there when it returns.</summary>
    public async Task Post(IEnumerable<CommandEnvelope> commands, bool withIds = false)
    {
        var sent = new List<Task>();
        foreach (CommandEnvelope command in commands)
        {
            TopicEncoder encoder = await _serde.PrepareAsync(Topics.Commands, [command.Payload.GetType()], Cancellation);
            var value = new System.Buffers.ArrayBufferWriter<byte>();
            encoder.Encode((IAvroRecord)command.Payload, value);
            var headers = new Headers();
            if (withIds)
                headers.Add(CloudEventHeaders.Id, Encoding.UTF8.GetBytes(command.CommandId.Value));
            sent.Add(_producer.ProduceAsync(new TopicPartition(Topics.Commands, Partition),
                new Message<byte[], byte[]>
                {
                    Key = Encoding.UTF8.GetBytes(command.AggregateId.Value), Value = value.WrittenSpan.ToArray(), Headers = headers,
                }, Cancellation));
        }

        await Task.WhenAll(sent);
    }

    /// <summary>The same, and waits until all are decided: a last one that is answered is behind them.</summary>
    public async Task Decide(EventSourcedNode node, IEnumerable<CommandEnvelope> commands, CommandEnvelope last)
    {
        await Post(commands);
        await node.Aggregates[0].CommandTopic.SendAsync(last, Cancellation);
    }

    public async Task<long> Version(EventSourcedNode node, string account) =>
        (await node.Aggregates[0].Processor.ReadAsync(AggregateId.Parse(account), Cancellation))?.Version ?? 0;

    public void DeleteStore() => Directory.Delete(Data, recursive: true);

    public Task DeleteGroup() => _admin.DeleteGroupsAsync([$"{Application.Name}-{Account.Definition.Name}"]);

    public Task CommitOffset(long offset) => _admin.AlterConsumerGroupOffsetsAsync(
        [new ConsumerGroupTopicPartitionOffsets($"{Application.Name}-{Account.Definition.Name}",
            [new TopicPartitionOffset(Topics.Commands, Partition, offset)])]);

    public Task DeleteRecords(string topic, long before) => _admin.DeleteRecordsAsync([new TopicPartitionOffset(topic, Partition, before)]);

    /// <summary>Deletes a topic and makes it again, as it was declared.</summary>
    public async Task MakeAgain(string topic)
    {
        TopicId before = (await TopicIds.OfAsync(_admin, [topic], TimeSpan.FromSeconds(30), Cancellation))[topic];
        await _admin.DeleteTopicsAsync([topic]);
        TopicDeclaration declaration = TopicDeclaration.For(Topics, 1, -1, _isProcess);
        while (!(await TopicIds.OfAsync(_admin, [topic], TimeSpan.Zero, Cancellation)).TryGetValue(topic, out TopicId now)
            || !now.Differs(before))
            await _provisioner.ApplyAsync((await _provisioner.PlanAsync(declaration, Cancellation)).OnlyMissingTopics(), Cancellation);
    }

    public async Task<long> EndOf(string topic) => (await _admin.ListOffsetsAsync(
        [new TopicPartitionOffsetSpec { TopicPartition = new TopicPartition(topic, Partition), OffsetSpec = OffsetSpec.Latest() }],
        new ListOffsetsOptions { IsolationLevel = IsolationLevel.ReadCommitted })).ResultInfos[0].TopicPartitionOffsetError.Offset.Value;

    public void Dispose()
    {
        _provisioner.Dispose();
        _admin.Dispose();
        _producer.Dispose();
        _registry.Dispose();
    }
}
