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
        ProducerConfig config = log.Kafka.Producer();
        config.TransactionalId = log.Application;
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(config).Build();
        producer.InitTransactions(Patience);
        producer.BeginTransaction();
        for (int i = 0; i < 3; i++)
            producer.Produce(partition, new Message<byte[], byte[]> { Key = [1], Value = [2] });
        producer.CommitTransaction(Patience);

        var progress = new SourceProgress();
        using var clients = new StreamClients(new StreamClientSettings
        {
            Connection = log.Kafka,
            Instance = "i",
            Assignment = new StreamAssignment(new Dictionary<string, SourceProgress> { [partition.Topic] = progress }),
            Ownership = new ThreadOwnership(),
            Batched = new HashSet<string> { partition.Topic },
            BatchRecords = 2,
            ExactlyOnce = true,
            SessionTimeout = Patience,
            Fail = fault => throw fault,
            Logger = TestServers.Loggers.CreateLogger<LagTests>(),
        });
        IConsumer<byte[], byte[]> consumer = clients.GetConsumer(
            new ConsumerConfig { GroupId = log.Name, SessionTimeoutMs = 30_000 }, null);
        consumer.Assign(new TopicPartitionOffset(partition, 0));
        for (int read = 0; read < 3; read += consumer.Consume(Patience)?.Message.Headers is RecordBatch batch ? batch.Records.Count : 0)
            Cancellation.ThrowIfCancellationRequested();
        progress.Advance(0, 2);
        clients.Lags.Single().Lag.ShouldBe(2); // the third record, and the marker behind it
        progress.Advance(0, 3);
        WaitForEnd(clients, consumer, partition);

        // as after a restart: what is committed is the offset behind the last record
        consumer.Assign(new TopicPartitionOffset(partition, 3));
        WaitForEnd(clients, consumer, partition);
    }

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
