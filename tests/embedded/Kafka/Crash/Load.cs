using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Confluent.Kafka;
using KafkaEventSourcing.Embedded.Kafka.Protocol;
using TopicPartition = KafkaEventSourcing.Embedded.Kafka.Protocol.TopicPartition;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Crash;

/// <summary>A topic of the load.</summary>
internal sealed record LoadTopic(string Name, int Partitions, LaneRules Rules, params (string Name, string Value)[] Configs);

/// <summary>
/// Producers that live through all crashes of a broker, each in its own way: plain without retries, idempotent, transactional; and a
/// consumer that commits offsets. They write down what they were told.
/// </summary>
internal sealed class Load : IAsyncDisposable
{
    public const string PlainGroup = "plain-group";
    private const int Window = 200;
    private const int LargeRecord = 900_000;
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly string _address;
    private readonly List<IDisposable> _clients = [];
    private readonly List<Task> _loops = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly IProducer<byte[], byte[]> _large;
    private readonly Lane _largeLane;
    private long _committedPosition = -1;
    private long _triedPosition = -1;
    private long _acknowledged;

    public Load(string address, IReadOnlyList<LoadTopic> topics, int seed)
    {
        _address = address;
        LoadTopic[] plain = [.. topics.Where(t => !t.Rules.HasFlag(LaneRules.Transactional) && !t.Rules.HasFlag(LaneRules.Compacted))];
        Start(Stream(0, plain, LaneRules.None, new ProducerConfig { MessageSendMaxRetries = 0, MessageTimeoutMs = 60_000 },
            new Random(seed)));
        Start(Stream(1, plain, LaneRules.NoGaps, new ProducerConfig { EnableIdempotence = true }, new Random(seed + 1)));
        Start(Stream(2, plain, LaneRules.NoGaps,
            new ProducerConfig { EnableIdempotence = true, CompressionType = CompressionType.Lz4, LingerMs = 20 }, new Random(seed + 2)));
        Start(Stream(3, [.. topics.Where(t => t.Rules == LaneRules.Compacted)], LaneRules.Compacted,
            new ProducerConfig { EnableIdempotence = true, CompressionType = CompressionType.Lz4 }, new Random(seed + 3)));
        LoadTopic[] transactional = [.. topics.Where(t => t.Rules.HasFlag(LaneRules.Transactional))];
        for (int i = 4; i < 6; i++)
        {
            int id = i;
            var random = new Random(seed + i);
            Start(Task.Factory.StartNew(() => Transact(id, transactional, random), CancellationToken.None, TaskCreationOptions.LongRunning,
                TaskScheduler.Default));
        }

        _large = Producer(new ProducerConfig { EnableIdempotence = true });
        _largeLane = NewLane(6, new TopicPartition(plain[0].Name, 0), LaneRules.NoGaps);
        Start(Task.Factory.StartNew(() => Commit(new TopicPartition(plain[0].Name, 0)), CancellationToken.None,
            TaskCreationOptions.LongRunning, TaskScheduler.Default));
    }

    public ConcurrentQueue<string> Faults { get; } = [];

    public ConcurrentBag<Lane> Lanes { get; } = [];

    /// <summary>By id; in the order in which they were begun, for each producer.</summary>
    public ConcurrentDictionary<int, SentTransaction> Transactions { get; } = [];

    public int RequiredAborts { get; private set; }

    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    /// <summary>The last offset whose commit was answered, and the last that was sent.</summary>
    public (long Committed, long Tried) PlainPosition
    {
        get
        {
            long committed = Interlocked.Read(ref _committedPosition);
            return (committed, Math.Max(committed, Interlocked.Read(ref _triedPosition)));
        }
    }

    public static string TransactionalGroup(int producer) => string.Create(CultureInfo.InvariantCulture, $"group-{producer}");

    /// <summary>Sends records that take the broker long to write: a kill right behind them may leave a torn one.</summary>
    public void SendLarge(int count)
    {
        for (int i = 0; i < count; i++)
            Send(_large, _largeLane, transaction: -1, LargeRecord, error => FaultIfLost(_largeLane.Producer, error));
    }

    /// <summary>Lets everything that was begun come to its end; nothing is unknown then.</summary>
    public async Task Finish()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_loops).WaitAsync(Patience);
        _large.Flush(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        // After a failure a client may wait for an answer that never comes: what it hangs in is not waited for, and a client in use cannot
        // be disposed of.
        if (!_loops.TrueForAll(loop => loop.IsCompleted))
            return;
        foreach (IDisposable client in _clients)
            client.Dispose();
        _stop.Dispose();
    }

    private void Start(Task loop) => _loops.Add(loop.ContinueWith(
        ended =>
        {
            if (ended.Exception is { } fault)
                Faults.Enqueue(fault.ToString());
        },
        CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default));

    private async Task Stream(int id, LoadTopic[] topics, LaneRules rules, ProducerConfig config, Random random)
    {
        IProducer<byte[], byte[]> producer = Producer(config);
        Lane[] lanes = [.. topics.SelectMany(t =>
            Enumerable.Range(0, t.Partitions).Select(p => NewLane(id, new TopicPartition(t.Name, p), rules)))];
        int open = 0;
        using var timer = new PeriodicTimer(Pace, TimeProvider.System);
        while (!_stop.IsCancellationRequested)
        {
            for (int n = random.Next(15); n > 0 && Volatile.Read(ref open) < Window; n--)
            {
                Interlocked.Increment(ref open);
                Send(producer, lanes[random.Next(lanes.Length)], transaction: -1, SizeOf(random), failed =>
                {
                    if (config.EnableIdempotence == true)
                        FaultIfLost(id, failed);
                    Interlocked.Decrement(ref open);
                });
            }

            await timer.WaitForNextTickAsync();
        }

        producer.Flush(Patience);
    }

    private void Transact(int id, LoadTopic[] topics, Random random)
    {
        IProducer<byte[], byte[]> producer = Producer(new ProducerConfig
        {
            TransactionalId = string.Create(CultureInfo.InvariantCulture, $"tx-{id}"), TransactionTimeoutMs = 300_000,
        });
        using IConsumer<byte[], byte[]> consumer = Consumer(TransactionalGroup(id));
        Lane[] lanes = [.. topics.SelectMany(t =>
            Enumerable.Range(0, t.Partitions).Select(p => NewLane(id, new TopicPartition(t.Name, p), t.Rules)))];
        var position = new Confluent.Kafka.TopicPartition(topics[0].Name, 0);
        Retry(() => producer.InitTransactions(Patience));
        for (int i = 1; !_stop.Token.WaitHandle.WaitOne(Pace); i++)
        {
            var transaction = new SentTransaction((i * 10) + id);
            bool commits = random.Next(4) > 0;
            try
            {
                producer.BeginTransaction();
                for (int n = random.Next(1, 30); n > 0; n--)
                {
                    Lane lane = lanes[random.Next(lanes.Length)];
                    transaction.Records.Add((lane, Send(producer, lane, transaction.Id, SizeOf(random), _ => { })));
                }

                if (random.Next(2) == 0)
                    transaction.Position = i;
                Transactions[transaction.Id] = transaction;
                if (transaction.Position >= 0)
                    Retry(() =>
                        producer.SendOffsetsToTransaction([new TopicPartitionOffset(position, i)],
                            consumer.ConsumerGroupMetadata, Patience));
                if (commits)
                    Retry(() => producer.CommitTransaction(Patience));
                else
                    Abort(producer);
                transaction.Outcome = commits ? Outcome.Committed : Outcome.Aborted;
            }
            catch (KafkaTxnRequiresAbortException)
            {
                RequiredAborts++;
                Abort(producer);
                transaction.Outcome = Outcome.Aborted;
            }
        }
    }

    private void Commit(TopicPartition partition)
    {
        using IConsumer<byte[], byte[]> consumer = Consumer(PlainGroup);
        var position = new Confluent.Kafka.TopicPartition(partition.Topic, partition.Partition);
        for (long next = 0; !_stop.Token.WaitHandle.WaitOne(Pace); next++)
        {
            Interlocked.Exchange(ref _triedPosition, next);
            try
            {
                consumer.Commit([new TopicPartitionOffset(position, next)]);
                Interlocked.Exchange(ref _committedPosition, next);
            }
            catch (KafkaException away) when (!away.Error.IsFatal)
            {
                // Unknown: the broker is down.
            }
        }
    }

    private int Send(IProducer<byte[], byte[]> producer, Lane lane, int transaction, int size, Action<Error?> told)
    {
        int sequence = lane.Next();
        byte[]? key = lane.Rules.HasFlag(LaneRules.Compacted)
            ? Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{lane.Producer}-{sequence % Lane.Keys}"))
            : null;
        producer.Produce(
            new Confluent.Kafka.TopicPartition(lane.Partition.Topic, lane.Partition.Partition),
            new Message<byte[], byte[]> { Key = key!, Value = PartitionReader.Value(lane.Producer, sequence, transaction, size) },
            report =>
            {
                lane.Told(sequence, report.Error.IsError ? Fate.Failed : Fate.Acknowledged,
                    report.Error.IsError ? -1 : report.Offset.Value);
                if (!report.Error.IsError)
                    Interlocked.Increment(ref _acknowledged);
                told(report.Error.IsError ? report.Error : null);
            });
        return sequence;
    }

    // librdkafka's abort drops what has no answer yet and gives its sequence numbers away again, also those of a batch that may have been
    // written before the broker was killed.
    private static void Abort(IProducer<byte[], byte[]> producer)
    {
        producer.Flush(Patience);
        Retry(() => producer.AbortTransaction(Patience));
    }

    private static int SizeOf(Random random) => random.Next(300) == 0 ? random.Next(50_000, 400_000) : random.Next(20, 600);

    private static void Retry(Action call)
    {
        for (long started = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                call();
                return;
            }
            catch (KafkaRetriableException) when (TimeProvider.System.GetElapsedTime(started) < Patience)
            {
            }
        }
    }

    private Lane NewLane(int producer, TopicPartition partition, LaneRules rules)
    {
        var lane = new Lane(producer, partition, rules);
        Lanes.Add(lane);
        return lane;
    }

    private IProducer<byte[], byte[]> Producer(ProducerConfig config)
    {
        config.BootstrapServers = _address;
        config.Acks = Acks.All;
        config.LingerMs ??= 1;
        config.RetryBackoffMs = 20;
        config.ReconnectBackoffMs = 20;
        config.ReconnectBackoffMaxMs = 100;
        config.MetadataRecoveryStrategy = MetadataRecoveryStrategy.None;
        IProducer<byte[], byte[]> producer = new ProducerBuilder<byte[], byte[]>(config).SetLogHandler((_, _) => { }).SetErrorHandler(
            (_, error) => Fault(error)).Build();
        lock (_clients)
            _clients.Add(producer);
        return producer;
    }

    private IConsumer<byte[], byte[]> Consumer(string group) =>
        new ConsumerBuilder<byte[], byte[]>(new ConsumerConfig
        {
            BootstrapServers = _address,
            GroupId = group,
            EnableAutoCommit = false,
            ReconnectBackoffMs = 20,
            ReconnectBackoffMaxMs = 100,
            MetadataRecoveryStrategy = MetadataRecoveryStrategy.None,
        })
        .SetLogHandler((_, _) => { }).SetErrorHandler((_, error) => Fault(error)).Build();

    private void FaultIfLost(int producer, Error? error)
    {
        if (error is not null)
            Faults.Enqueue($"producer {producer} lost a record: {error}");
    }

    private void Fault(Error error)
    {
        if (error.IsFatal)
            Faults.Enqueue($"fatal: {error.Code} {error.Reason}");
    }
}
