using System.Diagnostics;
using System.Globalization;
using System.Text;
using Banking.Domain;
using Confluent.Kafka;
using KafkaEventSourcing.Archive;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Bench;

/// <summary>
/// Files of the archive: a million events of the bank written as they are and as a table, read back, and one account's events found among
/// them; and how many bytes the same events have in a topic.
/// </summary>
internal static class ArchiveStage
{
    private const int Events = 1_000_000;
    private const int InTopic = 200_000;
    private const int Batch = 10_000;
    private const int OfOne = 675;
    private const string One = "the-one-account";
    private const string EventType = "Banking.Domain.AccountCredited";

    private static readonly TopicPartition Place = new("bank.account.events", 0);

    public static async Task Run(Load load, CancellationToken cancellationToken)
    {
        string folder = Directory.CreateTempSubdirectory("kes-bench-").FullName;
        var rawWrite = new Sample("archive: raw file, written", "events/s");
        var rawRead = new Sample("archive: raw file, read back", "events/s");
        var both = new Sample("archive: raw file, written and read back", "events/s");
        var typed = new Sample("archive: typed table, written", "events/s");
        var lookup = new Sample($"archive: {OfOne} events of one account found", "µs");
        try
        {
            byte[][] values = [.. load.Movements(20_000).Movements().Select(m => m.Payload).OfType<Credit>().Select(Framed)];
            string raw = Path.Combine(folder, "raw.parquet");
            string table = Path.Combine(folder, "typed.parquet");
            for (int run = 0; run <= load.Runs; run++)
            {
                double write = Write(raw, load.Accounts, values);
                double read = Read(raw, cancellationToken);
                double find = Find(raw, cancellationToken);
                double tableWrite = WriteTable(table, load.Accounts, values);
                if (run == 0)
                    continue;
                rawWrite.Add(Events / write);
                rawRead.Add(Events / read);
                both.Add(Events / (write + read));
                typed.Add(Events / tableWrite);
                lookup.Add(find * 1e6);
            }

            foreach (Sample sample in (Sample[])[rawWrite, rawRead, both, typed, lookup])
                sample.Print();
            double topic = await TopicBytes(load, values, cancellationToken).ConfigureAwait(false);
            double file = new FileInfo(raw).Length / (double)Events;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"archive: bytes an event: topic {topic:N1} (lz4), raw file {file:N1} = {file / topic:P0}, "
                    + $"typed table {new FileInfo(table).Length / (double)Events:N1}"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Write(string path, int accounts, byte[][] values)
    {
        using FileStream file = File.Create(path);
        using var writer = new RawFileWriter(file, Place.Topic, Place.Partition.Value);
        return Timed(accounts, values, (record, head) => writer.Append(record, head, EventType), () => writer.Complete());
    }

    private static double WriteTable(string path, int accounts, byte[][] values)
    {
        var schema = (RecordSchema)SchemaParser.Parse(AvroRecordType.Of<AccountCredited>().SchemaJson);
        using FileStream file = File.Create(path);
        using var writer = new TypedFileWriter(file, schema, Place.Topic, Place.Partition.Value);
        return Timed(accounts, values, (record, head) =>
        {
            if (!writer.TryAppend(record, head, out string? error))
                throw new InvalidDataException(error);
        }, () => writer.Complete());
    }

    // Events are made between the measured times.
    private static double Timed(int accounts, byte[][] values, Action<ConsumeResult<byte[], byte[]>, EventHead> append, Action complete)
    {
        long ticks = 0;
        var batch = new List<(ConsumeResult<byte[], byte[]> Record, EventHead Head)>(Batch);
        var codec = new EventCodec(null!);
        foreach (ConsumeResult<byte[], byte[]> record in Records(accounts, values, Events))
        {
            batch.Add((record, codec.ReadHead(record)));
            if (batch.Count < Batch)
                continue;
            long started = Stopwatch.GetTimestamp();
            foreach ((ConsumeResult<byte[], byte[]> one, EventHead head) in batch)
                append(one, head);
            ticks += Stopwatch.GetTimestamp() - started;
            batch.Clear();
        }

        long last = Stopwatch.GetTimestamp();
        complete();
        return Stopwatch.GetElapsedTime(0, ticks + Stopwatch.GetTimestamp() - last).TotalSeconds;
    }

    private static double Read(string path, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        using FileStream file = File.OpenRead(path);
        using var reader = new RawFileReader(file);
        int count = reader.Read(Place, 0, cancellationToken).Count();
        return count == Events ? Stopwatch.GetElapsedTime(started).TotalSeconds : throw new InvalidDataException($"{count} events.");
    }

    private static double Find(string path, CancellationToken cancellationToken)
    {
        long started = Stopwatch.GetTimestamp();
        using FileStream file = File.OpenRead(path);
        using var reader = new RawFileReader(file);
        int count = reader.ReadAggregate(Place, Encoding.UTF8.GetBytes(One), 1, cancellationToken).Count();
        return count == OfOne ? Stopwatch.GetElapsedTime(started).TotalSeconds : throw new InvalidDataException($"{count} events.");
    }

    private static async Task<double> TopicBytes(Load load, byte[][] values, CancellationToken cancellationToken)
    {
        BenchServers servers = await BenchServers.Start(load.Servers, cancellationToken).ConfigureAwait(false);
        await using var _ = servers.ConfigureAwait(false);
        var client = new ClientConfig { BootstrapServers = servers.Addresses.Kafka };
        using (IAdminClient admin = new AdminClientBuilder(client).Build())
            await admin.CreateTopicsAsync([new Confluent.Kafka.Admin.TopicSpecification { Name = Place.Topic, NumPartitions = 1 }])
                .ConfigureAwait(false);
        using (IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(new ProducerConfig(client)
        {
            CompressionType = CompressionType.Lz4, QueueBufferingMaxMessages = InTopic, LingerMs = 5,
        }).Build())
        {
            foreach (ConsumeResult<byte[], byte[]> record in Records(load.Accounts, values, InTopic))
                producer.Produce(Place, record.Message);
            producer.Flush(cancellationToken);
        }

        return Directory.EnumerateFiles(servers.Folder, "*", SearchOption.AllDirectories)
            .Where(f => f.Contains(Place.Topic, StringComparison.Ordinal) && f.EndsWith(".log", StringComparison.Ordinal))
            .Sum(f => new FileInfo(f).Length) / (double)InTopic;
    }

    private static IEnumerable<ConsumeResult<byte[], byte[]>> Records(int accounts, byte[][] values, int count)
    {
        var random = new Random(42);
        long[] versions = new long[accounts + 1];
        string[] names = [.. Enumerable.Range(0, accounts).Select(i => $"SE45500000000{i:D12}"), One];
        var time = new DateTimeOffset(2025, 12, 1, 0, 0, 0, TimeSpan.Zero);
        for (int i = 0; i < count; i++)
        {
            int account = i % (count / OfOne) == 0 && versions[accounts] < OfOne ? accounts : random.Next(accounts);
            long version = ++versions[account];
            time = time.AddMicroseconds(random.Next(1, 2_000_000));
            var id = Guid.CreateVersion7(time);
            yield return new ConsumeResult<byte[], byte[]>
            {
                TopicPartitionOffset = new TopicPartitionOffset(Place, i),
                Message = new Message<byte[], byte[]>
                {
                    Key = Encoding.UTF8.GetBytes(names[account]),
                    Value = values[i % values.Length],
                    Timestamp = new Timestamp(time.ToUnixTimeMilliseconds(), TimestampType.CreateTime),
                    Headers = HeadersOf(names[account], version, id, time),
                },
            };
        }
    }

    private static Headers HeadersOf(string account, long version, Guid command, DateTimeOffset time)
    {
        byte[] id = Encoding.UTF8.GetBytes(command.ToString());
        return
        [
            new Header(CloudEventHeaders.SpecVersion, CloudEventHeaders.SpecVersion10),
            new Header(CloudEventHeaders.Id, Encoding.UTF8.GetBytes($"{account}-{version}")),
            new Header(CloudEventHeaders.Source, "bank/account"u8.ToArray()),
            new Header(CloudEventHeaders.Type, Encoding.UTF8.GetBytes(EventType)),
            new Header(CloudEventHeaders.Subject, Encoding.UTF8.GetBytes(account)),
            new Header(CloudEventHeaders.Time, CloudEventHeaders.Encode(time)),
            new Header(CloudEventHeaders.Sequence, CloudEventHeaders.Encode(version)),
            new Header(CloudEventHeaders.CorrelationId, id),
            new Header(CloudEventHeaders.CausationId, id),
        ];
    }

    private static byte[] Framed(Credit credit) => Stages.Framed(7, Stages.Bytes(AvroRecordType.Of<AccountCredited>(), credit));
}
