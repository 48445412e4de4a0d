using System.Globalization;
using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using KafkaEventSourcing.EventLog;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Embedded.SchemaRegistry;

/// <summary>The topic that keeps the registry: what is written counts when it has been read back.</summary>
internal sealed partial class SchemaLog : IAsyncDisposable
{
    private const int WriteTimeoutMs = 15_000; // a broker whose disk is full refuses; whoever registers is told so while it still listens

    private readonly EmbeddedSchemaRegistryOptions _options;
    private readonly IProducer<string, string?> _producer;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly SortedDictionary<long, TaskCompletionSource> _waiting = [];
    private readonly Task _reading;
    private readonly TaskCompletionSource _caughtUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _read = -1;

    private SchemaLog(EmbeddedSchemaRegistryOptions options, Action<string, string?> apply)
    {
        _options = options;
        // One at a time keeps the order, and a record that is written twice says the same: asking for a producer id would only cost half a
        // second at the start.
        ProducerConfig producer = Configure(new ProducerConfig
        {
            Acks = Acks.All,
            EnableIdempotence = false,
            MaxInFlight = 1,
            LingerMs = 0,
            MessageTimeoutMs = WriteTimeoutMs,
        });
        _producer = new ProducerBuilder<string, string?>(producer).SetValueSerializer(Text).SetLogHandler((_, _) => { }).Build();
        _reading = Task.Factory.StartNew(() => Read(apply), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Makes the topic where it is missing, reads all of it, and returns.</summary>
    public static async Task<SchemaLog> Open(EmbeddedSchemaRegistryOptions options, Action<string, string?> apply, ILogger logger,
        CancellationToken cancellationToken)
    {
        await Make(options, logger, cancellationToken).ConfigureAwait(false);
        var log = new SchemaLog(options, apply);
        try
        {
            await log._caughtUp.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            return log;
        }
        catch
        {
            await log.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Writes records (null: a tombstone) and returns when they have been applied.</summary>
    public async Task Write(params (string Key, string? Value)[] records)
    {
        long last = -1;
        foreach ((string key, string? value) in records)
            last = (await _producer.ProduceAsync(new TopicPartition(_options.Topic, 0),
                new Message<string, string?> { Key = key, Value = value }).ConfigureAwait(false)).Offset.Value;
        TaskCompletionSource applied;
        lock (_lock)
        {
            if (_read >= last)
                return;
            if (!_waiting.TryGetValue(last, out applied!))
                _waiting.Add(last, applied = new(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        if (await Task.WhenAny(applied.Task, _reading).ConfigureAwait(false) == _reading)
            await _reading.ConfigureAwait(false);
        await applied.Task.WaitAsync(_stop.Token).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _producer.Dispose();
        _stop.Dispose();
    }

    private static byte[] Serialize(string? text) => text is null ? null! : Encoding.UTF8.GetBytes(text);

    private static TimeSpan MetadataTimeout { get; } = TimeSpan.FromSeconds(15);

    private static TimeSpan ShowTimeout { get; } = TimeSpan.FromSeconds(30);

    private static TimeSpan MakeTimeout { get; } = TimeSpan.FromSeconds(60);

    private static TimeSpan FirstAttempt { get; } = TimeSpan.FromSeconds(4);

    private static ISerializer<string?> Text { get; } = new NullableText();

    private static TConfig Configure<TConfig>(EmbeddedSchemaRegistryOptions options, TConfig config)
        where TConfig : ClientConfig
    {
        config.BootstrapServers = options.BootstrapServers;
        foreach ((string name, string value) in options.KafkaSettings)
            config.Set(name, value);
        return config;
    }

    private TConfig Configure<TConfig>(TConfig config)
        where TConfig : ClientConfig => Configure(_options, config);

    // Kafka names any broker as the one to ask, for some seconds also one that has died: attempts are short, each by a new client.
    private static async Task Make(EmbeddedSchemaRegistryOptions options, ILogger logger, CancellationToken cancellationToken)
    {
        var left = new KafkaPatience(MakeTimeout, TimeProvider.System);
        for (TimeSpan attempt = FirstAttempt; ; attempt *= 2)
        {
            using IAdminClient admin = new AdminClientBuilder(Configure(options, new AdminClientConfig { AllowAutoCreateTopics = false }))
                .SetLogHandler((_, _) => { }).SetErrorHandler((_, _) => { }).Build();
            try
            {
                await Make(admin, options, logger, attempt < left.Attempt ? attempt : left.Attempt).ConfigureAwait(false);
                await Shown(admin, options.Topic, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (KafkaException failed)
            {
                Error error = failed is CreateTopicsException refused ? refused.Results[0].Error : failed.Error;
                if (!left.Outlasts(error))
                    throw new TimeoutException($"The topic {options.Topic}, which keeps the schemas, cannot be made "
                        + $"at {options.BootstrapServers}: {error.Reason}", failed);
            }

            await left.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task Make(IAdminClient admin, EmbeddedSchemaRegistryOptions options, ILogger logger, TimeSpan attempt)
    {
        Metadata cluster = await Task.Run(() => admin.GetMetadata(options.Topic, attempt)).ConfigureAwait(false);
        if (!cluster.Topics[0].Error.IsError)
        {
            if (cluster.Brokers.Count > 1 && cluster.Topics[0].Partitions.Exists(p => p.Replicas.Length == 1))
                LogOneReplica(logger, options.Topic, cluster.Brokers.Count);
            return; // it has been here before
        }

        ReplicationDefaults defaults = await TopicReplication.Defaults(admin, cluster, attempt).ConfigureAwait(false);
        (short factor, int? inSync) = TopicReplication.Choose(options.ReplicationFactor, cluster.Brokers.Count, defaults);
        var configs = new Dictionary<string, string> { ["cleanup.policy"] = "compact" };
        if (inSync is { } number)
            configs[TopicReplication.MinInSync] = number.ToString(CultureInfo.InvariantCulture);
        try
        {
            await admin.CreateTopicsAsync(
                [new TopicSpecification { Name = options.Topic, NumPartitions = 1, ReplicationFactor = factor, Configs = configs }],
                new CreateTopicsOptions { RequestTimeout = attempt, OperationTimeout = attempt }).ConfigureAwait(false);
        }
        catch (CreateTopicsException exists) when (exists.Results[0].Error.Code == ErrorCode.TopicAlreadyExists)
        {
            // Somebody else was faster, or an attempt before came through.
        }
    }

    // A controller answers when the topic is in its log; until the brokers follow, they deny it to whoever asks, or have no leader for it.
    private static async Task Shown(IAdminClient admin, string topic, CancellationToken cancellationToken)
    {
        var left = new KafkaPatience(ShowTimeout, TimeProvider.System);
        while (true)
        {
            string reason;
            try
            {
                TopicMetadata shown = admin.GetMetadata(topic, left.Attempt).Topics[0];
                if (!shown.Error.IsError && !shown.Partitions.Exists(p => p.Error.IsError || p.Leader < 0))
                    return;
                reason = shown.Error.IsError ? shown.Error.Reason : "it has no leader.";
            }
            catch (KafkaException unanswered) when (KafkaPatience.IsPassing(unanswered.Error))
            {
                reason = unanswered.Error.Reason;
            }

            if (left.IsOver)
                throw new TimeoutException($"The topic {topic} is created and cannot be used after {ShowTimeout.TotalSeconds} s: {reason}");
            await left.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    // A broker that is named the leader and does not serve yet is asked again, with fresh metadata.
    private static WatermarkOffsets Bounds(IConsumer<string, byte[]?> consumer, TopicPartition partition,
        CancellationToken cancellationToken)
    {
        var left = new KafkaPatience(MetadataTimeout, TimeProvider.System);
        while (true)
        {
            try
            {
#pragma warning disable RS0030 // it asks again, as the log's own helper does
                return consumer.QueryWatermarkOffsets(partition, left.Attempt);
#pragma warning restore RS0030
            }
            catch (KafkaException failed)
            {
                if (!left.Outlasts(failed.Error))
                    throw new TimeoutException($"The topic {partition.Topic}, which keeps the schemas, cannot be read "
                        + $"within {MetadataTimeout.TotalSeconds} s: {failed.Error.Reason}", failed);
            }

            left.Wait(cancellationToken);
            using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
            try
            {
                admin.GetMetadata(partition.Topic, left.Attempt);
            }
            catch (KafkaException unanswered) when (KafkaPatience.IsPassing(unanswered.Error))
            {
                // The next attempt says what is wrong.
            }
        }
    }

    private void Read(Action<string, string?> apply)
    {
        try
        {
            ConsumerConfig config = Configure(new ConsumerConfig
            {
                GroupId = "schema-registry",
                EnableAutoCommit = false,
                EnablePartitionEof = true,
                FetchQueueBackoffMs = 1,
            });
            using IConsumer<string, byte[]?> consumer = new ConsumerBuilder<string, byte[]?>(config).SetLogHandler((_, _) => { })
                .SetErrorHandler((_, _) => { }).Build();
            var partition = new TopicPartition(_options.Topic, 0);
            WatermarkOffsets bounds = Bounds(consumer, partition, _stop.Token);
            if (bounds.High.Value <= bounds.Low.Value)
                _caughtUp.TrySetResult();
            // a number: "the beginning" would be asked for once more, half a second later
            consumer.Assign(new TopicPartitionOffset(partition, bounds.Low));
            while (true)
            {
                ConsumeResult<string, byte[]?> record;
                try
                {
                    record = consumer.Consume(_stop.Token);
                }
                catch (ConsumeException passing) when (!passing.Error.IsFatal)
                {
                    continue; // the client goes on by itself
                }

                if (!record.IsPartitionEOF)
                {
                    apply(record.Message.Key, record.Message.Value is { } value ? Encoding.UTF8.GetString(value) : null);
                    Applied(record.Offset.Value);
                }

                if (record.IsPartitionEOF || record.Offset.Value >= bounds.High.Value - 1)
                    _caughtUp.TrySetResult();
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            _caughtUp.TrySetCanceled();
        }
        catch (Exception failure)
        {
            _caughtUp.TrySetException(failure);
            throw;
        }
    }

    private void Applied(long offset)
    {
        var reached = new List<TaskCompletionSource>();
        lock (_lock)
        {
            _read = offset;
            while (_waiting.Count > 0 && _waiting.First() is { Key: var waited, Value: var waiter } && waited <= offset)
            {
                _waiting.Remove(waited);
                reached.Add(waiter);
            }
        }

        foreach (TaskCompletionSource waiter in reached)
            waiter.TrySetResult();
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The topic {Topic}, which keeps all schemas, has one replica on a cluster of {Brokers} brokers: with that broker no "
            + "message can be read any more. kafka-reassign-partitions gives it more")]
    private static partial void LogOneReplica(ILogger logger, string topic, int brokers);

    private sealed class NullableText : ISerializer<string?>
    {
        public byte[] Serialize(string? data, SerializationContext context) => SchemaLog.Serialize(data);
    }
}
