using System.Collections.Concurrent;
using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Reads the committed events of the partitions that a consumer group gives this node, and hands them over in order, partition by partition; those of
/// several partitions at the same time. At an event that cannot be read, or that the handler does not take, its partition stands still and tries again: nothing is skipped, and the others go on.
/// </summary>
public sealed partial class EventSubscription
{
    private const int MaxHeartbeatMs = 1_000;
    private const int CommitIntervalMs = 1_000;
    private static readonly TimeSpan MetadataTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private readonly KafkaConnection _connection;
    private readonly TopicFamily _topics;
    private readonly SubscriptionContext _context;
    private readonly ConcurrentQueue<int> _restarts = [];
    private readonly Lock _wakeLock = new();
    private CancellationTokenSource? _wake; // ends the consumer's wait; null while the subscription does not run

    /// <summary>A subscription to the events of <paramref name="topics"/>.</summary>
    /// <exception cref="InvalidInputException">An option is out of range.</exception>
    public EventSubscription(KafkaConnection connection, TopicFamily topics, AvroMessageSerde serde, EventSubscriptionOptions options, TimeProvider time, ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(loggers);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_connection, _topics) = (connection, topics);
        Stops = new SubscriptionStops(options.GroupId);
        _context = new SubscriptionContext(serde, options, new DiscardedEvents(connection, topics), Stops, time, loggers.CreateLogger<EventSubscription>());
    }

    /// <summary>The partitions that stand still.</summary>
    public SubscriptionStops Stops { get; }

    /// <summary>Reads until <paramref name="cancellationToken"/> is cancelled, then returns.</summary>
    /// <param name="startOf">Where to begin a partition; null: at its first event.</param>
    /// <param name="handle">Takes the next batch of a partition; the one after it comes when the task is done. When it throws, it gets the same events again, by halves; after an
    /// <see cref="EventsNeededAgainException"/> the partition is read anew from where <paramref name="startOf"/> says.</param>
    /// <param name="cancellationToken">Ends the subscription.</param>
    /// <exception cref="KafkaException">The cluster refuses this client for good.</exception>
    public Task Run(Func<int, CancellationToken, ValueTask<long?>> startOf, Func<EventBatch, CancellationToken, Task> handle, CancellationToken cancellationToken) =>
        Task.Factory.StartNew(() => Consume(startOf, handle, cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();

    /// <summary>Reads <paramref name="partition"/> anew, from where <c>startOf</c> says, if this subscription has it. It returns at once.</summary>
    public void Restart(int partition)
    {
        _restarts.Enqueue(partition);
        lock (_wakeLock)
            _wake?.Cancel();
    }

    private async Task Consume(Func<int, CancellationToken, ValueTask<long?>> startOf, Func<EventBatch, CancellationToken, Task> handle, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var feeds = new Dictionary<int, PartitionFeed>();
        var starts = new Dictionary<int, long>();
        Exception? fault = null;
        void Stop(Exception failure)
        {
            Interlocked.CompareExchange(ref fault, failure, null);
            stop.Cancel();
        }

        ConsumerConfig config = _connection.Consumer(_context.Options.GroupId);
        config.EnablePartitionEof = true; // its offset tells how far markers go
        config.AutoOffsetReset = AutoOffsetReset.Error; // events that are gone are never passed over silently
        config.PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky;
        config.SessionTimeoutMs ??= (int)_context.Options.SessionTimeout.TotalMilliseconds;
        config.EnableAutoCommit = _context.Options.KeepsPositions; // of what is stored once it was handled: each interval, before a partition is given away, and at the end
        config.AutoCommitIntervalMs ??= CommitIntervalMs;
        config.HeartbeatIntervalMs ??= Math.Min(MaxHeartbeatMs, config.SessionTimeoutMs.Value / 6); // a rebalance is learned by heartbeat
        GroupPositions? positions = null;
        using IConsumer<byte[], byte[]> consumer = new ConsumerBuilder<byte[], byte[]>(config)
            .SetLogHandler((_, line) => KafkaConnection.Log(_context.Logger, line))
            .SetErrorHandler((_, error) =>
            {
                if (error.IsFatal)
                    Stop(new KafkaException(error));
            })
            .SetOffsetsCommittedHandler((_, committed) =>
            {
                if (committed.Error.IsError)
                    LogNotCommitted(_context.Logger, _context.Options.GroupId, committed.Error.Reason);
            })
            .SetPartitionsAssignedHandler((_, partitions) => partitions.ConvertAll(p => new TopicPartitionOffset(p, Start(p.Partition.Value))))
            .SetPartitionsRevokedHandler((_, partitions) => partitions.ForEach(p => Drop(p.Partition.Value)))
            .SetPartitionsLostHandler((_, partitions) => partitions.ForEach(p => Drop(p.Partition.Value)))
            .Build();
        if (_context.Options.KeepsPositions)
            positions = new GroupPositions(consumer, _topics.Events, _context);

        // Runs inside Consume or Close, on this subscription's own thread, which may block. It must not throw: the group would wait for the assignment that this answers, and Close with it.
        Offset Start(int partition)
        {
            try
            {
                long? start = _context.Options.KeepsPositions ? positions!.Find(partition, stop.Token) : null;
                if (start is null)
                {
                    start = startOf(partition, stop.Token).AsTask().GetAwaiter().GetResult();
                    positions?.Begin(partition, start, stop.Token);
                }

                starts[partition] = start ?? 0;
                return start is { } offset ? new Offset(offset) : Offset.Beginning;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return Offset.End; // nothing more is handed over
            }
            catch (Exception failure)
            {
                Stop(failure);
                return Offset.End;
            }
        }

        void Drop(int partition)
        {
            if (!feeds.Remove(partition, out PartitionFeed? feed))
                return;
            _context.Partitions = feeds.Count;
            feed.Close();
            if (_context.Options.KeepsPositions)
                feed.Completion.GetAwaiter().GetResult(); // the next one must not begin before this one has ended, and what it has handled is committed
            _ = feed.Completion.ContinueWith(_ => feed.Dispose(), TaskScheduler.Default);
        }

        void StartAnew(int partition)
        {
            if (!consumer.Assignment.Exists(p => p.Partition.Value == partition))
                return;
            Drop(partition);
            var from = new TopicPartitionOffset(_topics.Events, partition, Start(partition));
            if (stop.IsCancellationRequested)
                return;
            consumer.Seek(from);
            consumer.Resume([from.TopicPartition]); // the feed that is gone may have paused it
        }

        consumer.Subscribe(_topics.Events);
        CancellationTokenSource wake = Rearm(stop.Token);
        try
        {
            while (true)
            {
                ConsumeResult<byte[], byte[]> record;
                try
                {
                    record = consumer.Consume(wake.Token);
                }
                catch (OperationCanceledException) when (wake.IsCancellationRequested && !stop.IsCancellationRequested)
                {
                    using CancellationTokenSource used = wake;
                    wake = Rearm(stop.Token);
                    while (_restarts.TryDequeue(out int again))
                        StartAnew(again);
                    continue;
                }
                catch (ConsumeException gone) when (gone.Error.Code == ErrorCode.Local_AutoOffsetReset)
                {
                    if (_context.Options.KeepsPositions)
                    {
                        throw new InvalidDataException(
                            $"{_topics.Events}, partition {gone.ConsumerRecord.Partition.Value}, does not have the offset that the group {_context.Options.GroupId} is at: events were deleted, or the topic was made anew. " +
                            "Nothing is skipped or handled again unasked: set the group's offsets (kafka-consumer-groups --reset-offsets), or delete the group to begin where the subscription says.");
                    }

                    LogOutOfRange(_context.Logger, _topics.Events, gone.ConsumerRecord.Partition.Value, gone.Error.Reason);
                    Restart(gone.ConsumerRecord.Partition.Value); // who says where to begin knows what to do
                    continue;
                }
                catch (ConsumeException passing) when (KafkaPatience.IsPassing(passing.Error))
                {
                    LogReadAgain(_context.Logger, _topics.Events, passing.Error.Reason); // a broker that has started does not know the topic yet, it was deleted, or this member was away for too long
                    continue;
                }

                int partition = record.Partition.Value;
                if (!feeds.TryGetValue(partition, out PartitionFeed? feed))
                {
                    feeds.Add(partition, feed = new PartitionFeed(_context, consumer, record.TopicPartition, starts[partition], Partitions(consumer, stop.Token), handle, Restart, Stop, stop.Token));
                    _context.Partitions = feeds.Count;
                }

                feed.Add(record);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The end, or a fault that is thrown below.
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            foreach (PartitionFeed feed in feeds.Values)
            {
                feed.Close();
                await feed.Completion.ConfigureAwait(false);
                feed.Dispose();
            }

            feeds.Clear(); // Close revokes what they read
            consumer.Close();
            lock (_wakeLock)
                _wake = null;
            wake.Dispose();
        }

        if (fault is not null)
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(fault);
    }

    // On the subscription's own thread. Records come from a topic that is there: whoever does not tell its partitions now does so later.
    private int Partitions(IConsumer<byte[], byte[]> consumer, CancellationToken cancellationToken)
    {
        using IAdminClient admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        while (true)
        {
            try
            {
                return TopicPartitions.Of(admin, _topics.Events, MetadataTimeout).Count;
            }
            catch (KafkaException away)
            {
                LogReadAgain(_context.Logger, _topics.Events, away.Error.Reason);
                if (cancellationToken.WaitHandle.WaitOne(RetryDelay))
                    throw new OperationCanceledException(cancellationToken);
            }
        }
    }

    private CancellationTokenSource Rearm(CancellationToken stop)
    {
        var wake = CancellationTokenSource.CreateLinkedTokenSource(stop);
        lock (_wakeLock)
        {
            _wake = wake;
            if (!_restarts.IsEmpty)
                wake.Cancel();
        }

        return wake;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Topic}, partition {Partition}, does not have the place that is to be read: it was cut, or made anew: {Reason}")]
    private static partial void LogOutOfRange(ILogger logger, string topic, int partition, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Group}: offsets could not be committed now; they are committed with the next ones: {Reason}")]
    private static partial void LogNotCommitted(ILogger logger, string group, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The topic {Topic} cannot be read now; it is tried again: {Reason}")]
    private static partial void LogReadAgain(ILogger logger, string topic, string reason);
}
