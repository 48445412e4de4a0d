using System.Buffers;
using System.Diagnostics;
using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// What one producer of plain Confluent.Kafka gets onto the broker, with the bytes of our commands: the ceiling of everything above it.
/// </summary>
internal static class AppendStage
{
    private const int Messages = 200_000;
    private const int TransactionSize = 2_000;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        await using BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        using IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = servers.Addresses.Kafka }).Build();
        await admin.CreateTopicsAsync([new TopicSpecification { Name = Topic(servers), NumPartitions = 4, ReplicationFactor = 1 }])
            .ConfigureAwait(false);
        AvroMessageSerde serde = AvroMessageSerde.Create(servers.Registry, [AvroRecordType.Of<Credit>()]);
        TopicEncoder encoder = await serde.PrepareAsync(Topic(servers), [typeof(Credit)], cancellationToken).ConfigureAwait(false);
        var buffer = new ArrayBufferWriter<byte>();
        (byte[] Key, byte[] Value)[] messages = [.. load.Movements(40_000).Movements().Where(m => m.Payload is Credit).Select(m =>
        {
            buffer.ResetWrittenCount();
            encoder.Encode((Credit)m.Payload, buffer);
            return (Encoding.UTF8.GetBytes(m.AggregateId.Value), buffer.WrittenSpan.ToArray());
        })];

        var plain = new Sample("append: Confluent.Kafka, idempotent", "msg/s");
        var transactional = new Sample("append: Confluent.Kafka, transactions of 2,000", "msg/s");
        for (int run = 0; run <= load.Runs; run++)
        {
            double one = Produce(servers, messages, transactional: false);
            double two = Produce(servers, messages, transactional: true);
            if (run > 0)
            {
                plain.Add(one);
                transactional.Add(two);
            }
        }

        plain.Print();
        transactional.Print(plain, "idempotent");
    }

    private static string Topic(BenchServers servers) => $"{servers.Application}.plain";

    private static double Produce(BenchServers servers, (byte[] Key, byte[] Value)[] messages, bool transactional)
    {
        var config = new ProducerConfig
        {
            BootstrapServers = servers.Addresses.Kafka,
            EnableIdempotence = true,
            LingerMs = transactional ? 0 : 5,
            QueueBufferingMaxMessages = 1_000_000,
            EnableDeliveryReports = true,
        };
        if (transactional)
            config.TransactionalId = servers.Application;
        using IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(config).Build();
        if (transactional)
            producer.InitTransactions(Timeout);
        long started = Stopwatch.GetTimestamp();
        for (int i = 0; i < Messages; i++)
        {
            if (transactional && i % TransactionSize == 0)
                producer.BeginTransaction();
            (byte[] key, byte[] value) = messages[i % messages.Length];
            producer.Produce(Topic(servers), new Message<byte[], byte[]> { Key = key, Value = value });
            if (transactional && i % TransactionSize == TransactionSize - 1)
                producer.CommitTransaction(Timeout);
        }

        producer.Flush(Timeout);
        return Messages / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
