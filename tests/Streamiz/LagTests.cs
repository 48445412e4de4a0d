using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Testing;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Streamiz.Tests;

public sealed class LagTests(RunningStreamsTests.Fixture fixture) : IClassFixture<RunningStreamsTests.Fixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // Librdkafka moves the position of a consumer over markers of transactions too, when it is told that nothing else is behind them.
    [Fact]
    public async Task Lag_of_a_partition_that_is_read_to_the_marker_of_its_last_transaction_is_none()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        var partition = new TopicPartition(log.EventsTopic, 0);
        using IProducer<byte[], byte[]> producer = Writer(log);
        Write(producer, partition, 3);
        producer.CommitTransaction(Patience);
        var progress = new SourceProgress();
        using StreamClients clients = Clients(log, partition.Topic, progress);
        IConsumer<byte[], byte[]> consumer = clients.GetConsumer(
            new ConsumerConfig { GroupId = log.Name, SessionTimeoutMs = 30_000 }, null);
        consumer.Assign(new TopicPartitionOffset(partition, 0));
        for (int read = 0; read < 3; read += consumer.Consume(Patience)?.Message.Headers is RecordBatch batch ? batch.Records.Count : 0)
            Cancellation.ThrowIfCancellationRequested();
        while (consumer.GetWatermarkOffsets(partition).High.Value < 4)
        {
            consumer.Consume(TimeSpan.FromMilliseconds(100)).ShouldBeNull();
            Cancellation.ThrowIfCancellationRequested();
        }

        progress.Advance(0, 2);
        clients.Lags.Single().Lag.ShouldBe(2); // the third record, and the marker behind it
        progress.Advance(0, 3);
        WaitForEnd(clients, consumer, partition);

        // as after a restart: what is committed is the offset behind the last record
        consumer.Assign(new TopicPartitionOffset(partition, 3));
        WaitForEnd(clients, consumer, partition);
    }

    // A store that was restored while the marker of the last transaction was not in its changelog yet lacked that transaction.
    [Fact]
    public async Task Restore_goes_to_the_end_of_what_is_open_too()
    {
        await using StreamLog log = await StreamLog.CreateAsync(fixture.Servers!, Cancellation);
        var partition = new TopicPartition(log.EventsTopic, 0);
        using IProducer<byte[], byte[]> producer = Writer(log);
        Write(producer, partition, 3);
        producer.CommitTransaction(Patience);
        Write(producer, partition, 2);
        producer.Flush(Cancellation);

        using StreamClients clients = Clients(log, partition.Topic, new SourceProgress());
        IConsumer<byte[], byte[]> consumer = clients.GetRestoreConsumer(new ConsumerConfig { GroupId = log.Name });
        consumer.QueryWatermarkOffsets(partition, Patience).High.Value.ShouldBe(6); // of what is committed: 4
        consumer.Assign(new TopicPartitionOffset(partition, 0));
        for (int read = 0; read < 3; read += consumer.Consume(Patience) is null ? 0 : 1)
            Cancellation.ThrowIfCancellationRequested();
        consumer.Position(partition).Value.ShouldBeLessThan(6);
        producer.AbortTransaction(Patience);
        while (consumer.Position(partition).Value < 6)
        {
            consumer.Consume(TimeSpan.FromMilliseconds(100)).ShouldBeNull();
            Cancellation.ThrowIfCancellationRequested();
        }
    }

    private static IProducer<byte[], byte[]> Writer(StreamLog log)
    {
        ProducerConfig config = log.Kafka.Producer();
        config.TransactionalId = log.Application;
        IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(config).Build();
        producer.InitTransactions(Patience);
        return producer;
    }

    private static void Write(IProducer<byte[], byte[]> producer, TopicPartition partition, int count)
    {
        producer.BeginTransaction();
        for (int i = 0; i < count; i++)
            producer.Produce(partition, new Message<byte[], byte[]> { Key = [1], Value = [2] });
    }

    private static StreamClients Clients(StreamLog log, string topic, SourceProgress progress) =>
        new(new StreamClientSettings
        {
            Connection = log.Kafka,
            Instance = "i",
            Assignment = new StreamAssignment(new Dictionary<string, SourceProgress> { [topic] = progress }),
            Ownership = new ThreadOwnership(),
            Batched = new HashSet<string> { topic },
            BatchRecords = 2,
            ExactlyOnce = true,
            SessionTimeout = Patience,
            Fail = fault => throw fault,
            Logger = TestServers.Loggers.CreateLogger<LagTests>(),
        });

    // What is behind the records comes with a later answer; the client learns it while it is asked for more.
    private static void WaitForEnd(StreamClients clients, IConsumer<byte[], byte[]> consumer, TopicPartition partition)
    {
        while (consumer.GetWatermarkOffsets(partition).High.Value < 4 || clients.Lags.SingleOrDefault() != (partition.Topic, 0, 0L))
        {
            consumer.Consume(TimeSpan.FromMilliseconds(100)).ShouldBeNull();
            Cancellation.ThrowIfCancellationRequested();
        }
    }
}
