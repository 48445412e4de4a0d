using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Testing;

namespace KafkaEventSourcing.EventLog.Tests;

/// <summary>
/// Readers while a transaction stands open in the partition: so it is on Apache Kafka for a moment after each commit, too, because it is
/// answered before its markers are written. What was answered was missed then.
/// </summary>
public sealed class PartitionLogReaderTests : IAsyncLifetime
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
        Task reading = Task.Run(() =>
            new DeadLetterReader(_servers.Addresses.KafkaConnection, _topics.DeadLetters).Read(0, 0, withResolved: true, foreign.Add,
                Cancellation), Cancellation);
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
        (await Task.Run(() => new DeadLetterReader(_servers.Addresses.KafkaConnection, _topics.DeadLetters).Read(0, 5, withResolved: true,
            _ => { }, Cancellation), Cancellation)).ShouldBeEmpty();
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

    // Apache Kafka answers an abort before its markers are written. A writer that took the end of the moment expected its next event where
    // the marker came to stand, and aborted again.
    [Fact]
    public async Task End_after_an_abort_is_behind_the_marker_however_late_it_is_written()
    {
        var partition = new TopicPartition(_topics.Events, 0);
        (await Task.Run(() => SettledEnd(partition), Cancellation)).ShouldBe(0);
        using IProducer<Null, string> producer = Producer();
        producer.BeginTransaction();
        await Produce(producer, _topics.Events, "aborted");

        Task<long> end = Task.Run(() => SettledEnd(partition), Cancellation);
        await Should.ThrowAsync<TimeoutException>(end.WaitAsync(Moment, TimeProvider.System, Cancellation));
        producer.AbortTransaction(TransactionTimeout);
        (await end).ShouldBe(2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Records_from_an_offset_that_the_partition_does_not_have_are_those_that_it_has_or_an_error_for_who_must_have_it(
        bool isExact)
    {
        using IProducer<Null, string> producer = Producer();
        producer.BeginTransaction();
        await Produce(producer, _topics.Events, "first");
        await Produce(producer, _topics.Events, "second");
        producer.CommitTransaction(TransactionTimeout);
        var partition = new TopicPartition(_topics.Events, 0);
        using (IAdminClient admin = new AdminClientBuilder(_servers.Addresses.KafkaConnection.Admin()).Build())
            await admin.DeleteRecordsAsync([new TopicPartitionOffset(partition, 1)]);

        using PartitionLogReader reader = PartitionLogReader.ToEnd(_servers.Addresses.KafkaConnection, "test", isExact);
        Task<long[]> read = Task.Run(() => reader.Read(partition, 0, Cancellation).Select(r => r.Offset.Value).ToArray(), Cancellation);
        if (isExact)
            (await Should.ThrowAsync<ConsumeException>(read)).Error.Code.ShouldBe(ErrorCode.Local_AutoOffsetReset);
        else
            (await read).ShouldBe([1L]);
    }

    // A restore whose leader had gone in the middle waited for ever, and said nothing.
    [Fact]
    public async Task Read_that_gets_neither_record_nor_end_names_topic_partition_and_offset()
    {
        using var cluster = new MockCluster(brokers: 1);
        cluster.CreateTopic("events", partitions: 2, replicas: 1);
        cluster.Refuse(MockCluster.Fetch, ErrorCode.Local_Transport, 10_000); // the connection is closed each time
        using PartitionLogReader reader = PartitionLogReader.ToEnd(cluster.Connection, "test", silence: Moment);
        KafkaException silent = await Should.ThrowAsync<KafkaException>(
            Task.Run(() => reader.Read(new TopicPartition("events", 1), 0, Cancellation).Count(), Cancellation));
        silent.Error.Code.ShouldBe(ErrorCode.Local_TimedOut);
        silent.Error.Reason.ShouldBe(
            "events, partition 1, cannot be read from offset 0 on: neither a record nor its end has come within 0.5 s.");
    }

    // An end that is not known yet is a negative number, and every record is behind that.
    [Fact]
    public async Task Partition_whose_end_is_not_known_yet_does_not_look_empty()
    {
        using var cluster = new MockCluster(brokers: 1);
        cluster.CreateTopic("events", partitions: 1, replicas: 1);
        using (IProducer<Null, string> producer = new ProducerBuilder<Null, string>(cluster.Connection.Producer()).Build())
        {
            for (int i = 0; i < 3; i++)
                await Produce(producer, "events", "some");
        }

        using PartitionLogReader reader = PartitionLogReader.ToEnd(cluster.Connection, "test");
        var partition = new TopicPartition("events", 0);
        (await Task.Run(() => reader.Read(partition, 0, Cancellation).Select(r => r.Offset.Value).ToArray(), Cancellation))
            .ShouldBe([0L, 1L, 2L]);
        (await Task.Run(() => reader.SettledEnd(partition, Cancellation), Cancellation)).ShouldBe(3);
    }

    private static Task Produce(IProducer<Null, string> producer, string topic, string value) =>
        producer.ProduceAsync(new TopicPartition(topic, 0), new Message<Null, string> { Value = value }, Cancellation);

    private long SettledEnd(TopicPartition partition)
    {
        using PartitionLogReader reader = PartitionLogReader.ToEnd(_servers.Addresses.KafkaConnection, "test");
        return reader.SettledEnd(partition, Cancellation);
    }

    private IProducer<Null, string> Producer()
    {
        ProducerConfig config = _servers.Addresses.KafkaConnection.Producer();
        config.TransactionalId = TestServers.UniqueName("writer");
        IProducer<Null, string> producer = new ProducerBuilder<Null, string>(config).Build();
        producer.InitTransactions(TransactionTimeout);
        return producer;
    }
}
