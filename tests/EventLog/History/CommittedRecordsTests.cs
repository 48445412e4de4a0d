using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>
/// Readers while a transaction stands open in the partition: so it is on Apache Kafka for a moment after each commit, too, because it is answered before its markers are written. What was answered was missed then.
/// </summary>
public sealed class CommittedRecordsTests : IAsyncLifetime
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan TransactionTimeout = TimeSpan.FromSeconds(30);

    private TestServers _servers = null!;
    private TopicFamily _topics = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _servers = await ServersOrSkip.Start(Cancellation);

        _topics = new TopicFamily(TestServers.UniqueName("app"), "thing");
        using var provisioner = new TopicProvisioner(_servers.Addresses.KafkaConnection);
        await provisioner.ApplyAsync(await provisioner.PlanAsync(TopicDeclaration.For(_topics, 1, -1), Cancellation), Cancellation);
    }

    public ValueTask DisposeAsync() => _servers.DisposeAsync();

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public async Task Letters_of_a_transaction_that_is_under_way_are_waited_for(bool commit, int read)
    {
        using IProducer<Null, string> producer = Producer();
        producer.BeginTransaction();
        await Produce(producer, _topics.DeadLetters, "first");
        producer.CommitTransaction(TransactionTimeout);
        producer.BeginTransaction();
        await Produce(producer, _topics.DeadLetters, "second");

        var foreign = new List<string>();
        Task reading = Task.Run(() => new DeadLetterReader(_servers.Addresses.KafkaConnection, _topics.DeadLetters).Read(0, 0, withResolved: true, foreign.Add, Cancellation), Cancellation);
        await Should.ThrowAsync<TimeoutException>(reading.WaitAsync(Moment, TimeProvider.System, Cancellation));
        if (commit)
            producer.CommitTransaction(TransactionTimeout);
        else
            producer.AbortTransaction(TransactionTimeout);
        await reading;
        foreign.Count.ShouldBe(read);
    }

    [Fact]
    public async Task Letters_of_a_partition_without_records_are_none()
    {
        (await Task.Run(() => new DeadLetterReader(_servers.Addresses.KafkaConnection, _topics.DeadLetters).Read(0, 5, withResolved: true, _ => { }, Cancellation), Cancellation)).ShouldBeEmpty();
    }

    [Fact]
    public async Task End_of_the_history_is_behind_a_transaction_that_is_under_way()
    {
        using IProducer<Null, string> producer = Producer();
        producer.BeginTransaction();
        await Produce(producer, _topics.Events, "open");
        using var registry = new CachedSchemaRegistryClient(new SchemaRegistryConfig { Url = _servers.Addresses.Registry });
        var history = new HistoryReader(_servers.Addresses.KafkaConnection, _topics, AvroMessageSerde.Create(registry, []));
        (await history.EndOffsetsAsync(Cancellation))[0].ShouldBe(1);
        producer.AbortTransaction(TransactionTimeout);
    }

    private static Task Produce(IProducer<Null, string> producer, string topic, string value) =>
        producer.ProduceAsync(new TopicPartition(topic, 0), new Message<Null, string> { Value = value }, Cancellation);

    private IProducer<Null, string> Producer()
    {
        ProducerConfig config = _servers.Addresses.KafkaConnection.Producer();
        config.TransactionalId = TestServers.UniqueName("writer");
        IProducer<Null, string> producer = new ProducerBuilder<Null, string>(config).Build();
        producer.InitTransactions(TransactionTimeout);
        return producer;
    }
}
