using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Cluster;

/// <summary>Confluent's client on a cluster whose brokers stop, die and come back.</summary>
public sealed class ClusterClientTests
{
    private const int Transactions = 30;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Transactions_are_exact_while_brokers_stop_and_start()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        // A death is noticed early here: the test would wait for it.
        await using EmbeddedKafka kafka = await EmbeddedKafka.StartAsync(
            new EmbeddedKafkaOptions { Cluster = new EmbeddedClusterOptions
            {
                BrokerSessionTimeout = TimeSpan.FromSeconds(1), GroupInitialRebalanceDelay = TimeSpan.Zero,
            } }, cancellationToken: cancellation);
        using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = kafka.BootstrapServers }).Build())
            await admin.CreateTopicsAsync([new TopicSpecification { Name = "t", NumPartitions = 3, ReplicationFactor = 3 }]);
        using IProducer<string, string> producer = new ProducerBuilder<string, string>(
            new ProducerConfig { BootstrapServers = kafka.BootstrapServers, TransactionalId = "x", ReconnectBackoffMaxMs = 500 }).Build();
        Retry(() => producer.InitTransactions(Patience));
        var expected = new List<string>();
        for (int i = 0; i < Transactions; i++)
        {
            if (i % 10 == 5)
                await kafka.StopBroker(1 + (i / 10), dies: i == 15);
            if (i % 10 == 8)
                kafka.StartBroker(1 + (i / 10));
            producer.BeginTransaction();
            try
            {
                for (int partition = 0; partition < 3; partition++)
                    producer.Produce(new TopicPartition("t", partition), new Message<string, string> { Key = "k", Value = $"{i}" });
                if (i % 5 == 4)
                {
                    // The client ends a transaction whose partitions were refused so far, as the one before is still ending, too: Kafka
                    // answers that it is in an invalid state.
                    producer.Flush(Patience);
                    Retry(() => producer.AbortTransaction(Patience));
                    continue;
                }

                Retry(() => producer.CommitTransaction(Patience));
                expected.Add($"{i}");
            }
            catch (KafkaTxnRequiresAbortException)
            {
                Retry(() => producer.AbortTransaction(Patience));
            }
        }

        using IConsumer<string, string> consumer = new ConsumerBuilder<string, string>(new ConsumerConfig
        {
            BootstrapServers = kafka.BootstrapServers, GroupId = "g", AutoOffsetReset = AutoOffsetReset.Earliest,
        }).Build();
        consumer.Subscribe("t");
        var seen = new Dictionary<int, List<string>> { [0] = [], [1] = [], [2] = [] };
        while (seen.Values.Any(v => v.Count < expected.Count))
        {
            ConsumeResult<string, string>? record = consumer.Consume(Patience);
            record.ShouldNotBeNull("records of committed transactions are missing");
            seen[record.Partition.Value].Add(record.Message.Value);
        }

        seen.Values.ShouldAllBe(v => v.SequenceEqual(expected));
        consumer.Commit();
        consumer.Close();
    }

    private static void Retry(Action call)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                call();
                return;
            }
            catch (KafkaRetriableException) when (attempt < 10)
            {
                // It is sent again.
            }
        }
    }
}
