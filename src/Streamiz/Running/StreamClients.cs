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

    private readonly StreamClientSettings _settings;
    private readonly ILogger _logger;
    private readonly StreamAssignment _assignment;
    private readonly ConcurrentBag<IClient> _clients = [];
    private readonly ConcurrentDictionary<string, int> _producers = [];
    private readonly ConcurrentDictionary<IConsumer<byte[], byte[]>, byte> _consumers = [];

    /// <summary>Makes clients as <paramref name="settings"/> say.</summary>
    public StreamClients(StreamClientSettings settings) =>
        (_settings, _assignment, _logger) = (settings, settings.Assignment, settings.Logger);

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
        if (config.SessionTimeoutMs is { } session)
            SetSession(ours, session);
        ours.MaxPollIntervalMs = config.MaxPollIntervalMs;
        // Partitions of one number go to one process, which has the stores that tasks of several topics share.
        ours.PartitionAssignmentStrategy = PartitionAssignmentStrategy.Range;
        // Where a partition begins is said when it is assigned. Events that are gone are never passed over silently.
        ours.AutoOffsetReset = AutoOffsetReset.Error;
        ConsumerBuilder<byte[], byte[]> builder = Consumer(ours);
        var batching = new BatchingConsumer(_settings.Batched, _settings.BatchRecords, BatchingConsumer.MaxBytes, _settings.Ownership,
            _settings.FirstSingly);
        if (rebalanceListener is not null)
            Follow(builder, batching, rebalanceListener);
        IConsumer<byte[], byte[]> made = Keep(batching.ReadBy(builder.Build()));
        _consumers[made] = 0;
        return made;
    }

    // What was read and not given is dropped before Streamiz hears of a change: it is read again.
    private void Follow(ConsumerBuilder<byte[], byte[]> builder, BatchingConsumer batching, IConsumerRebalanceListener listener)
    {
        TimeSpan silence = _settings.SessionTimeout / 2;
        builder.SetPartitionsAssignedHandler((consumer, partitions) =>
        {
            List<TopicPartitionOffset> starts = StartsOf(consumer, partitions);
            batching.Join();
            _settings.Ownership.Regain(_settings.ExactlyOnce ? null : () => batching.Confirm(silence));
            listener.PartitionsAssigned(consumer, partitions);
            _assignment.Assigned(consumer, starts);
            return starts;
        });
        builder.SetPartitionsRevokedHandler((consumer, partitions) =>
        {
            batching.Drop(partitions.Select(p => p.TopicPartition));
            _assignment.Revoked(consumer);
            try
            {
                listener.PartitionsRevoked(consumer, partitions);
            }
            catch (Exception fault)
            {
                _settings.Fail(fault); // Streamiz takes the rebalance for one that goes on, and would poll no more
                throw;
            }
        });
        builder.SetPartitionsLostHandler((consumer, partitions) =>
        {
            batching.Drop(partitions.Select(p => p.TopicPartition));
            _assignment.Revoked(consumer);
            _settings.Ownership.Lose();
            listener.PartitionsLost(consumer, partitions);
        });
    }

    /// <inheritdoc/>
    public virtual IProducer<byte[], byte[]> GetProducer(ProducerConfig config)
    {
        ProducerConfig ours = _settings.Connection.Producer();
        ours.ClientId ??= config.ClientId;
        ours.Partitioner = Confluent.Kafka.Partitioner.Murmur2Random;
        ours.LingerMs = 5;
        ours.DeliveryReportFields = "status"; // what is looked at
        if (config.TransactionalId is { } random)
        {
            // Streamiz' own is another one where its folder is: this one is the same after a restart here, so that the start ends at once
            // what the process before has left open.
            int number = _producers.GetOrAdd(random, _ => _producers.Count);
            ours.TransactionalId = $"{_settings.Instance}-{number}";
            ours.TransactionTimeoutMs = config.TransactionTimeoutMs;
        }

        IProducer<byte[], byte[]> producer = Keep(new ProducerBuilder<byte[], byte[]>(ours)
            .SetLogHandler((_, line) => KafkaConnection.Log(_logger, line)).SetErrorHandler((_, _) => { }).Build());
        return new StreamProducer(producer, _settings.Ownership, ours.TransactionalId is not null, _logger);
    }

    /// <inheritdoc/>
    public IConsumer<byte[], byte[]> GetRestoreConsumer(ConsumerConfig config)
    {
        ConsumerConfig ours = Ours(config);
        ours.ConsumeResultFields = "timestamp,topic"; // headers of a changelog say nothing
        ours.FetchWaitMaxMs = 10; // the end of a changelog is an empty answer: nothing to wait for
        return Keep<IConsumer<byte[], byte[]>>(new RestoringConsumer(Consumer(ours).Build()));
    }

    /// <inheritdoc/>
    public IConsumer<byte[], byte[]> GetGlobalConsumer(ConsumerConfig config) => Keep(Consumer(Ours(config)).Build());

    /// <inheritdoc/>
    public IAdminClient GetAdmin(AdminClientConfig config)
    {
        AdminClientConfig ours = _settings.Connection.Admin();
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

    // What was read is not processed yet. When it is, the client knows more: that nothing but markers is behind it.
    private long NextOf(IConsumer<byte[], byte[]> consumer, TopicPartition partition) =>
        _assignment.NextOf(partition.Topic, partition.Partition.Value) is { } next
            && consumer is BatchingConsumer batching && !batching.HasNothingBehind(partition, next)
                ? next : consumer.Position(partition).Value;

    private IEnumerable<(string Topic, int Partition, long Lag)> LagsOf(IConsumer<byte[], byte[]> consumer)
    {
        try
        {
            return
            [
                .. from partition in consumer.Assignment
                   let bounds = consumer.GetWatermarkOffsets(partition)
                   let next = NextOf(consumer, partition)
                   where bounds.High != Offset.Unset && next != Offset.Unset.Value
                   select (partition.Topic, partition.Partition.Value, Math.Max(0, bounds.High.Value - Math.Max(next, bounds.Low.Value))),
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
        ConsumerConfig ours = _settings.Connection.Consumer(config.GroupId);
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

/// <summary>What the clients of one run are made by.</summary>
internal sealed record StreamClientSettings
{
    /// <summary>How they connect.</summary>
    public required KafkaConnection Connection { get; init; }

    /// <summary>A name that no other process has.</summary>
    public required string Instance { get; init; }

    /// <summary>Is told which partitions they have.</summary>
    public required StreamAssignment Assignment { get; init; }

    /// <summary>Is told when they lose them.</summary>
    public required ThreadOwnership Ownership { get; init; }

    /// <summary>The topics whose records are given in batches.</summary>
    public required IReadOnlySet<string> Batched { get; init; }

    /// <summary>How many records a batch has at most.</summary>
    public required int BatchRecords { get; init; }

    /// <summary>How many are given one by one before.</summary>
    public int FirstSingly { get; init; }

    /// <summary>Whether transactions say who has a partition.</summary>
    public required bool ExactlyOnce { get; init; }

    /// <summary>After what silence others have the partitions.</summary>
    public required TimeSpan SessionTimeout { get; init; }

    /// <summary>Ends the run.</summary>
    public required Action<Exception> Fail { get; init; }

    /// <summary>Where they log.</summary>
    public required ILogger Logger { get; init; }
}
