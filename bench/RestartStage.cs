using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// How long the embedded broker takes to start with a log that is there: after a stop in order, and after <c>kill -9</c> in the middle of
/// writing.
/// </summary>
internal static class RestartStage
{
    private const int Partitions = 4;
    private const int RecordBytes = 10_000;
    private const long Giga = 1_000_000_000;
    private const string Topic = "log";

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        string folder = Directory.CreateTempSubdirectory("kes-bench-").FullName;
        var clean = new Sample(string.Create(CultureInfo.InvariantCulture, $"restart: {load.Gigabytes} GB, after a stop"), "ms");
        var killed = new Sample(string.Create(CultureInfo.InvariantCulture, $"restart: {load.Gigabytes} GB, after kill -9"), "ms");
        BenchProcess broker = await BenchProcess.Start(BenchProcess.KafkaCommand, folder, cancellationToken).ConfigureAwait(false);
        try
        {
            using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = broker.Address }).Build())
                await admin.CreateTopicsAsync([new TopicSpecification { Name = Topic, NumPartitions = Partitions }]).ConfigureAwait(false);
            await Write(broker.Address, load.Gigabytes * Giga / RecordBytes, whenDone: null, cancellationToken).ConfigureAwait(false);
            for (int run = 0; run < load.Runs; run++)
            {
                await broker.Stop(cancellationToken).ConfigureAwait(false);
                broker = await Start(clean).ConfigureAwait(false);
                // Still writing when it is killed, after as much as makes the running segments new.
                BenchProcess running = broker;
                await Write(broker.Address, Giga / RecordBytes / 2, () =>
                    running.Kill(cancellationToken), cancellationToken).ConfigureAwait(false);
                broker = await Start(killed).ConfigureAwait(false);
            }

            clean.Print();
            killed.Print(clean, "after a stop");
            await broker.Stop(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            broker.Dispose();
            Directory.Delete(folder, recursive: true);
        }

        async Task<BenchProcess> Start(Sample sample)
        {
            broker.Dispose();
            BenchProcess started = await BenchProcess.Start(BenchProcess.KafkaCommand, folder, cancellationToken).ConfigureAwait(false);
            sample.Add(started.Ready.TotalMilliseconds);
            return started;
        }
    }

    // When the given number is acknowledged, more are on their way, if something happens then.
    private static async Task Write(string address, long records, Func<Task>? whenDone, CancellationToken cancellationToken)
    {
        var config = new ProducerConfig
        {
            BootstrapServers = address,
            Acks = Acks.All,
            LingerMs = 5,
            BatchSize = 1_000_000,
            QueueBufferingMaxKbytes = 64 * 1024,
            DeliveryReportFields = "none",
        };
        using IProducer<Null, byte[]> producer = new ProducerBuilder<Null, byte[]>(config).SetLogHandler((_, _) => { }).SetErrorHandler(
            (_, _) => { }).Build();
        byte[] value = new byte[RecordBytes];
        new Random(RecordBytes).NextBytes(value);
        var message = new Message<Null, byte[]> { Value = value };
        long acknowledged = 0;
        for (long i = 0; whenDone is null ? i < records : Interlocked.Read(ref acknowledged) < records; i++)
        {
            try
            {
                producer.Produce(new TopicPartition(Topic, (int)(i % Partitions)), message,
                    report => Interlocked.Add(ref acknowledged, report.Error.IsError ? 0 : 1));
            }
            catch (ProduceException<Null, byte[]> full) when (full.Error.Code == ErrorCode.Local_QueueFull)
            {
                producer.Poll(TimeSpan.FromMilliseconds(5));
                i--;
            }
        }

        if (whenDone is null)
            producer.Flush(cancellationToken);
        else
            await whenDone().ConfigureAwait(false);
    }
}
