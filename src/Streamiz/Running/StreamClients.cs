using System.Collections.Concurrent;
using Confluent.Kafka;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;
using Streamiz.Kafka.Net.Kafka;
using Streamiz.Kafka.Net.Metrics;

namespace KafkaEventSourcing.Streamiz;

/// <summary>
/// Makes the Kafka clients of one run with this library's settings, and knows which partitions they have. Thread-safe; disposing ends the
/// clients that Streamiz leaves behind.
/// </summary>
internal class StreamClients : IKafkaSupplier, IDisposable
{
    private const int MaxHeartbeatMs = 1_000;
    private static readonly TimeSpan CommittedTimeout = TimeSpan.FromSeconds(15);

    private readonly KafkaConnection _connection;
    private readonly string _instance;
    private readonly ILogger _logger;
    private readonly StreamAssignment _assignment;
    private readonly ConcurrentBag<IClient> _clients = [];
    private readonly ConcurrentDictionary<string, int> _producers = [];
    private readonly ConcurrentDictionary<IConsumer<byte[], byte[]>, byte> _consumers = [];

    /// <summary>Makes the clients of <paramref name="instance"/>, a name that no other process has.</summary>
    public StreamClients(KafkaConnection connection, string instance, StreamAssignment assignment, ILogger logger) =>
        (_connection, _instance, _assignment, _logger) = (connection, instance, assignment, logger);

    /// <inheritdoc/>
    public StreamMetricsRegistry MetricsRegistry { get; set; } = null!;

    /// <summary>
    /// How far the partitions that are read here are behind, as far as the clients have been told: no broker is asked.
    /// </summary>
    public IEnumerable<(string Topic, int Partition, long Lag)> Lags => _consumers.Keys.SelectMany(LagsOf);

    /// <inheritdoc/>
    public IConsumer<byte[], byte[]> GetConsumer(ConsumerConfig config, IConsumerRebalanceListener? rebalanceListener)
    {
        ConsumerConfig ours = Ours(config);
        SetSession(ours, config.SessionTimeoutMs!.Value);
        ours.MaxPollIntervalMs = config.MaxPollIntervalMs;
        // Partitions of one number go to one process, which has the stores that tasks of several topics share.
        ours.PartitionAssignmentStrategy = PartitionAssignmentStrategy.Range;
        // Where a partition begins is said when it is assigned. Events that are gone are never passed over silently.
        ours.AutoOffsetReset = AutoOffsetReset.Error;
        ConsumerBuilder<byte[], byte[]> builder = Consumer(ours);
        if (rebalanceListener is not null)
        {
            builder.SetPartitionsAssignedHandler((consumer, partitions) =>
            {
                List<TopicPartitionOffset> starts = StartsOf(consumer, partitions);
                rebalanceListener.PartitionsAssigned(consumer, partitions);
                _assignment.Assigned(consumer, starts);
                return starts;
            });
            builder.SetPartitionsRevokedHandler((consumer, partitions) =>
            {
                _assignment.Revoked(consumer);
                rebalanceListener.PartitionsRevoked(consumer, partitions);
            });
            builder.SetPartitionsLostHandler((consumer, partitions) =>
            {
                _assignment.Revoked(consumer);
                rebalanceListener.PartitionsLost(consumer, partitions);
            });
        }

        IConsumer<byte[], byte[]> made = Keep(builder.Build());
        _consumers[made] = 0;
        return made;
    }

    /// <inheritdoc/>
    public virtual IProducer<byte[], byte[]> GetProducer(ProducerConfig config)
    {
        ProducerConfig ours = _connection.Producer();
        ours.ClientId ??= config.ClientId;
        ours.Partitioner = Confluent.Kafka.Partitioner.Murmur2Random;
        ours.LingerMs = 5;
        if (config.TransactionalId is { } random)
        {
            // Streamiz' own is another one where its folder is: this one is the same after a restart here, so that the start ends at once
            // what the process before has left open.
            int number = _producers.GetOrAdd(random, _ => _producers.Count);
            ours.TransactionalId = $"{_instance}-{number}";
            ours.TransactionTimeoutMs = config.TransactionTimeoutMs;
        }

        return Keep(new ProducerBuilder<byte[], byte[]>(ours).SetLogHandler((_, line) => KafkaConnection.Log(_logger, line))
            .SetErrorHandler((_, _) => { }).Build());
    }

    /// <inheritdoc/>
    public IConsumer<byte[], byte[]> GetRestoreConsumer(ConsumerConfig config)
    {
        ConsumerConfig ours = Ours(config);
        ours.FetchWaitMaxMs = 10; // the end of a changelog is an empty answer: nothing to wait for
        return Keep(Consumer(ours).Build());
    }

    /// <inheritdoc/>
    public IConsumer<byte[], byte[]> GetGlobalConsumer(ConsumerConfig config) => Keep(Consumer(Ours(config)).Build());

    /// <inheritdoc/>
    public IAdminClient GetAdmin(AdminClientConfig config)
    {
        AdminClientConfig ours = _connection.Admin();
        ours.ClientId ??= config.ClientId;
        return Keep(new AdminClientBuilder(ours).SetLogHandler((_, line) => KafkaConnection.Log(_logger, line))
            .SetErrorHandler((_, _) => { }).Build());
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Streamiz disposes most of them; one that it has replaced, or has failed to close, would go on for as long as the process.
        foreach (IConsumer<byte[], byte[]> consumer in _consumers.Keys)
            Leave(consumer);
        _consumers.Clear();
        foreach (IClient client in _clients)
            End(client);
        GC.SuppressFinalize(this);
    }

    // Heartbeats are three seconds apart by themselves, however short the session is.
    internal static void SetSession(ConsumerConfig config, int sessionTimeoutMs)
    {
        config.SessionTimeoutMs = sessionTimeoutMs;
        config.HeartbeatIntervalMs ??= Math.Min(MaxHeartbeatMs, sessionTimeoutMs / 6);
    }

    private static IEnumerable<(string Topic, int Partition, long Lag)> LagsOf(IConsumer<byte[], byte[]> consumer)
    {
        try
        {
            return
            [
                .. from partition in consumer.Assignment
                   let end = consumer.GetWatermarkOffsets(partition).High
                   let next = consumer.Position(partition)
                   where end != Offset.Unset && next != Offset.Unset
                   select (partition.Topic, partition.Partition.Value, Math.Max(0, end.Value - next.Value)),
            ];
        }
        catch (Exception gone) when (gone is ObjectDisposedException or KafkaException or InvalidOperationException)
        {
            return []; // Streamiz has ended it meanwhile
        }
    }

    // A member that does not say so is waited for until its session has ended.
    private static void Leave(IConsumer<byte[], byte[]> consumer)
    {
        try
        {
            consumer.Close();
        }
        catch (Exception left) when (left is ObjectDisposedException or KafkaException)
        {
            // It has left already, or Kafka is away: then its session ends.
        }
    }

    private static void End(IClient client)
    {
        try
        {
            client.Dispose();
        }
        catch (ObjectDisposedException)
        {
            // Streamiz has disposed it: an admin client of Confluent's does not take that twice.
        }
    }

    private ConsumerConfig Ours(ConsumerConfig config)
    {
        ConsumerConfig ours = _connection.Consumer(config.GroupId);
        ours.ClientId ??= config.ClientId; // who gives all clients of a program an id by the settings means these too
        return ours;
    }

    private ConsumerBuilder<byte[], byte[]> Consumer(ConsumerConfig config) => new ConsumerBuilder<byte[], byte[]>(config)
        .SetLogHandler((_, line) => KafkaConnection.Log(_logger, line)).SetErrorHandler((_, _) => { });

    // On Streamiz' own thread, within a poll.
    private static List<TopicPartitionOffset> StartsOf(IConsumer<byte[], byte[]> consumer, List<TopicPartition> partitions) =>
        partitions.Count == 0 ? [] : consumer.Committed(partitions, CommittedTimeout)
            .ConvertAll(c => new TopicPartitionOffset(c.TopicPartition, c.Offset == Offset.Unset ? Offset.Beginning : c.Offset));

    private T Keep<T>(T client)
        where T : IClient
    {
        _clients.Add(client);
        return client;
    }
}
