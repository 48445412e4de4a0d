using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// The embedded broker, in a process of its own, beside one producer or consumer: by record size, partitions, and with transactions. Next
/// to it what one core of loopback TCP takes and gives.
/// </summary>
internal static class BrokerStage
{
    private const long RunBytes = 192L * 1024 * 1024;
    private const int MaxRecords = 1_000_000;
    private const long LoopbackBytes = 4L * 1024 * 1024 * 1024;
    private const int TransactionBytes = 1024 * 1024;
    private const double Mega = 1_000_000;

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        double takes = await Loopback('t', load.Runs, cancellationToken).ConfigureAwait(false);
        double gives = await Loopback('g', load.Runs, cancellationToken).ConfigureAwait(false);
        foreach (int size in (int[])[100, 1_000, 10_000])
        {
            foreach (int partitions in (int[])[1, 12])
            {
                foreach (bool transactional in (bool[])[false, true])
                    await Measure(load.Runs, size, partitions, transactional, takes, gives, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static async Task Measure(int runs, int size, int partitions, bool transactional, double takes, double gives,
        CancellationToken cancellationToken)
    {
        int records = (int)Math.Min(MaxRecords, RunBytes / size);
        string name = string.Create(CultureInfo.InvariantCulture,
            $"{size:N0} B, {partitions} partition{(partitions == 1 ? "" : "s")}{(transactional ? ", transactions" : "")}");
        Figures produced = new($"broker: produce {name}"), consumed = new($"broker: consume {name}");
        string folder = Directory.CreateTempSubdirectory("kes-bench-").FullName;
        try
        {
            using BenchProcess broker = await BenchProcess.Start(BenchProcess.KafkaCommand, folder,
                cancellationToken).ConfigureAwait(false);
            for (int run = 0; run <= runs; run++)
            {
                string topic = string.Create(CultureInfo.InvariantCulture, $"run-{run}");
                using (IAdminClient admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = broker.Address }).Build())
                {
                    await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = partitions }]).ConfigureAwait(
                        false);
                    produced.Add(run, broker, records, size,
                        () => Produce(broker.Address, topic, records, size, partitions, transactional, cancellationToken));
                    consumed.Add(run, broker, records, size, () => Consume(broker.Address, topic, records, partitions, cancellationToken));
                    await admin.DeleteTopicsAsync([topic]).ConfigureAwait(false);
                }
            }

            produced.Print(takes, "loopback takes");
            consumed.Print(gives, "loopback gives");
            await broker.Stop(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Produce(string address, string topic, int records, int size, int partitions, bool transactional,
        CancellationToken cancellationToken)
    {
        var config = new ProducerConfig
        {
            BootstrapServers = address, Acks = Acks.All, EnableIdempotence = true, LingerMs = 5, BatchSize = 1_000_000,
            QueueBufferingMaxMessages = 2_000_000, QueueBufferingMaxKbytes = 1_000_000,
            DeliveryReportFields = "none", TransactionalId = transactional ? topic : null,
        };
        using IProducer<Null, byte[]> producer = new ProducerBuilder<Null, byte[]>(config).Build();
        byte[] value = new byte[size];
        new Random(size).NextBytes(value);
        var message = new Message<Null, byte[]> { Value = value };
        int perTransaction = Math.Max(1, TransactionBytes / size);
        if (transactional)
            producer.InitTransactions(TimeSpan.FromSeconds(30));
        int failed = 0;
        for (int i = 0; i < records; i++)
        {
            if (transactional && i % perTransaction == 0)
            {
                if (i > 0)
                    producer.CommitTransaction();
                producer.BeginTransaction();
            }

            var target = new TopicPartition(topic, i / 100 % partitions);
            while (true)
            {
                try
                {
                    producer.Produce(target, message, report => failed += report.Error.IsError ? 1 : 0);
                    break;
                }
                catch (ProduceException<Null, byte[]> full) when (full.Error.Code == ErrorCode.Local_QueueFull)
                {
                    producer.Poll(TimeSpan.FromMilliseconds(1));
                }
            }
        }

        if (transactional)
            producer.CommitTransaction();
        producer.Flush(cancellationToken);
        if (failed > 0)
            throw new InvalidOperationException($"{failed} records were not taken.");
    }

    private static void Consume(string address, string topic, int records, int partitions, CancellationToken cancellationToken)
    {
        var config = new ConsumerConfig
        {
            BootstrapServers = address, GroupId = topic, EnableAutoCommit = false, IsolationLevel = IsolationLevel.ReadCommitted,
            ConsumeResultFields = "none", QueuedMinMessages = 1_000_000,
            QueuedMaxMessagesKbytes = 500_000, MaxPartitionFetchBytes = 4 * 1024 * 1024, FetchQueueBackoffMs = 1,
        };
        using IConsumer<Ignore, Ignore> consumer = new ConsumerBuilder<Ignore, Ignore>(config).Build();
        consumer.Assign(Enumerable.Range(0, partitions).Select(p => new TopicPartitionOffset(topic, p, Offset.Beginning)));
        for (int i = 0; i < records; i++)
            consumer.Consume(cancellationToken);
        consumer.Close();
    }

    // MB of one core's second, by the processor time of the other side.
    private static async Task<double> Loopback(char way, int runs, CancellationToken cancellationToken)
    {
        using BenchProcess other = await BenchProcess.Start(BenchProcess.LoopbackCommand, "", cancellationToken).ConfigureAwait(false);
        var rate = new Sample($"broker: one core of loopback TCP {(way == 't' ? "takes" : "gives")}", "MB");
        string[] address = other.Address.Split(':');
        byte[] chunk = new byte[256 * 1024];
        for (int run = 0; run <= runs; run++)
        {
            TimeSpan before = other.Cpu;
            using (var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
            {
                BenchProcess.Again(() =>
                {
                    client.Connect(address[0], int.Parse(address[1], CultureInfo.InvariantCulture));
                    return true;
                });
                BenchProcess.Again(() => client.Send([(byte)way]));
                for (long done = 0; done < LoopbackBytes;)
                    done += BenchProcess.Again(() => way == 't' ? client.Send(chunk) : client.Receive(chunk));
            }

            if (run > 0)
                rate.Add(LoopbackBytes / Mega / (other.Cpu - before).TotalSeconds);
        }

        rate.Print();
        return rate.Median;
    }

    /// <summary>Of several runs of one case; the first warms up and does not count.</summary>
    private sealed class Figures(string name)
    {
        private readonly List<(double Seconds, double Cpu)> _runs = [];
        private int _records;
        private int _size;

        public void Add(int run, BenchProcess broker, int records, int size, Action work)
        {
            (_records, _size) = (records, size);
            TimeSpan cpu = broker.Cpu;
            long started = Stopwatch.GetTimestamp();
            work();
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            if (run > 0)
                _runs.Add((seconds, (broker.Cpu - cpu).TotalSeconds));
        }

        public void Print(double ceiling, string what)
        {
            List<double> seconds = [.. _runs.Select(r => r.Seconds).Order()];
            List<double> cpu = [.. _runs.Select(r => r.Cpu).Order()];
            double megabytes = (double)_records * _size / Mega;
            double median = seconds[seconds.Count / 2];
            double perCore = megabytes / cpu[cpu.Count / 2];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name,-48} {megabytes / median,7:N0} MB/s ({megabytes / seconds[^1]:N0} "
                    + $"… {megabytes / seconds[0]:N0}) {_records / median,10:N0} records/s  "
                    + $"broker {cpu[cpu.Count / 2] / _records * 1_000_000,6:0.00} µs CPU a record, {perCore,6:N0} MB a core and second "
                    + $"= {perCore / ceiling:0.00} × {what}"));
        }
    }
}
